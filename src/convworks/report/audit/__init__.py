"""An audit as words and as one HTML page: is my data what I think it is?"""
