"""What a net does inside, and the claims of the guide measured: arrays and plain values, no drawing."""
