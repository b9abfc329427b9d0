"""Synthetic pictures with honest annotations for all four tasks, drawn from a seed."""

from convworks.data.synthetic.objects import OBJECTS
from convworks.data.synthetic.plan import class_names
from convworks.data.synthetic.scene import scene
from convworks.data.synthetic.shapes import SHAPES, flat_scene
from convworks.data.synthetic.write import write

__all__ = ["OBJECTS", "SHAPES", "class_names", "flat_scene", "scene", "write"]
