"""Values behave as frozen dataclasses do, and cost less."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import pytest

from convworks.arithmetic.spec import Conv, Pool, ReLU, Tanh
from convworks.arithmetic.values import Value, replace, value

CONV = Conv(channels=4, kernel=(3, 3))


def test_equal_by_kind_and_fields_and_hashable() -> None:
    assert Conv(channels=4, kernel=(3, 3)) == CONV
    assert hash(Conv(channels=4, kernel=(3, 3))) == hash(CONV)
    assert replace(CONV, stride=(2, 2)) != CONV
    assert ReLU() != Tanh()
    assert repr(ReLU()) == "ReLU()"


def test_never_changed_and_without_room_for_more() -> None:
    with pytest.raises(AttributeError, match="never changed"):
        CONV.channels = 5  # type: ignore[misc]
    with pytest.raises(AttributeError, match="never changed"):
        del CONV.channels
    assert not hasattr(CONV, "__dict__")


def test_a_wrong_or_missing_field_is_named() -> None:
    with pytest.raises(TypeError, match="Conv needs channels"):
        Conv(kernel=(3, 3))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no filters; it has channels, kernel"):
        Conv(filters=3, channels=3, kernel=(3, 3))  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no size"):
        replace(CONV, size=3)


def test_the_dataclasses_module_takes_them_for_its_own() -> None:
    assert dataclasses.is_dataclass(Conv)
    assert [item.name for item in dataclasses.fields(Pool)][:3] == ["kind", "kernel", "stride"]
    assert dataclasses.replace(CONV, bias=False) == replace(CONV, bias=False)
    assert dataclasses.asdict(CONV)["kernel"] == (3, 3)


def test_copied_and_pickled() -> None:
    assert pickle.loads(pickle.dumps(CONV)) == CONV
    assert copy.deepcopy(CONV) == CONV


def test_a_class_keeps_its_name_and_methods() -> None:
    @value
    class Pair(Value):
        """Two numbers."""

        first: int
        second: int = 2

        @property
        def total(self) -> int:
            return self.first + self.second

    assert Pair(first=1).total == 3
    assert Pair.__doc__ == "Two numbers."
    assert Pair.__module__ == __name__


def test_the_room_loads_neither_torch_nor_numpy_nor_dataclasses() -> None:
    heavy = "{'torch', 'numpy', 'inspect', 'dataclasses', 'rich'}"
    code = (
        "import sys; from convworks.arithmetic import design; "
        "net = design('conv5-16 relu pool2 fc10', input=(32, 32, 3)); net.table(); net.check(); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
