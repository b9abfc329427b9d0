"""Will this net fit, and does it see these pictures at a proper scale? Asked of any net, however it is given.

`check` is the way in. What is written in the notation is answered without PyTorch; `find` makes a module of a file of
the user's or of a name of timm's, and `scale` compares it with what was measured of some pictures.
"""
