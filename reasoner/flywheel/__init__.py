"""Traces -> training rows -> a better core, and a gate that decides whether it is one.

rows           what is learnt: contexts with masks, pairs, places with values
batches        in which order
student        a frozen model, low-rank adapters on it, and the control tokens' own rows
losses         what a batch says of a student
training       the loop: resumable after every step
adapter        what comes of it, on disk
"""
