"""Guesses at what a row writes next: what followed the same words earlier in it.

Prompt lookup (Saxena, 2023), checked as speculative decoding is (Leviathan et al., 2211.17192): a guess that is not
what the row would have drawn is dropped, so a wrong one costs no more than its place in a forward pass.
"""

import numpy as np

from reasoner.cores.local.cache import Ids


def guess(tokens: Ids, most: int) -> Ids:
    """What followed the latest of the longest earlier matches of the last three, two or one tokens.

    After three that match, the text goes on as before for three tokens and more: at most `most` are returned. After two
    or one it does so for less than one on average, so no more are guessed than match.
    """
    places = np.flatnonzero(tokens[:-1] == tokens[-1])
    matched = min(1, len(places))
    for back in (1, 2):
        longer = places[places >= back]
        longer = longer[tokens[longer - back] == tokens[len(tokens) - 1 - back]]
        if not len(longer):
            break
        places, matched = longer, back + 1
    count = most if matched == 3 else min(most, matched)
    return tokens[places[-1] + 1 :][:count] if matched else tokens[:0]
