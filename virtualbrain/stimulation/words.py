# mypy: allow-untyped-defs
# The compiler of the loops infers their types.
"""Count the words of a binary matrix in linear time, by a suffix automaton.

The automaton holds every sequence that occurred: in the earlier columns, and in the current column
before the element that is read. Its states are sets of sequences with the same ends (Blumer et al.
1985, Theor Comput Sci 40:31). A word grows along its transitions.
"""

import numpy as np

from virtualbrain.models.compile import compiled, inner

ROOT = 0
NONE = -1


@compiled()
def count_words(matrix):
    """Return the number of finished words of a matrix that is read column by column.

    Parameters
    ----------
    matrix : numpy.ndarray of bool, shape (n_rows, n_columns)
        The first element is a word. The sequence at the end of a column that occurred before is
        not counted.
    """
    n_rows, n_columns = matrix.shape
    n_states = 2 * matrix.size + 2
    following = np.full((n_states, 2), NONE, np.int64)
    link = np.full(n_states, NONE, np.int64)
    length = np.zeros(n_states, np.int64)
    used, words = 1, 0
    for column in range(n_columns):
        last, state, size = ROOT, ROOT, 0
        for row in range(n_rows):
            letter = int(matrix[row, column])
            if following[state, letter] == NONE:
                words += 1
                state, size = ROOT, 0
            else:
                state, size = following[state, letter], size + 1
            last, used = _append(following, link, length, used, last, letter)
            # The new sequence may have split the state of the word.
            while link[state] != NONE and length[link[state]] >= size:
                state = link[state]
    return words


@inner()
def _append(following, link, length, used, last, letter):
    """Add a letter after the state `last`; return the new last state and the number of states."""
    known = following[last, letter]
    if known != NONE:
        if length[known] == length[last] + 1:
            return known, used
        clone, used = _split(following, link, length, used, last, letter, known)
        link[known] = clone
        return clone, used
    new, used = used, used + 1
    length[new] = length[last] + 1
    state = last
    while state != NONE and following[state, letter] == NONE:
        following[state, letter] = new
        state = link[state]
    if state == NONE:
        link[new] = ROOT
        return new, used
    known = following[state, letter]
    if length[known] == length[state] + 1:
        link[new] = known
        return new, used
    clone, used = _split(following, link, length, used, state, letter, known)
    link[known] = clone
    link[new] = clone
    return new, used


@inner()
def _split(following, link, length, used, state, letter, known):
    """Copy a state for the shorter ones of its sequences, which end in more places."""
    clone = used
    length[clone] = length[state] + 1
    following[clone, 0], following[clone, 1] = following[known, 0], following[known, 1]
    link[clone] = link[known]
    while state != NONE and following[state, letter] == known:
        following[state, letter] = clone
        state = link[state]
    return clone, used + 1
