"""Any module, operator by operator, before anything runs: the arithmetic of nets that were written as code.

`trace` is the way in. The module's own code runs once on a tensor that has a size and no numbers; `mode` sees every
operator that it calls; `convolutions`, `pooling`, `mixing`, `views` and `pointwise` know what each kind does to sizes
and fields, and `recorder` writes it down, with whose code it was (`calling`) and what training keeps of it (`keeping`).
Nothing is computed, and the module stays as it is.
"""
