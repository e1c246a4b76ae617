"""Load The Virtual Brain without its warnings and its log."""

import logging
import warnings
from contextlib import contextmanager


@contextmanager
def quiet_tvb():
    """Yield `tvb.simulator.lab`; warnings and log are silent within the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            from tvb.basic.logger.builder import GLOBAL_LOGGER_BUILDER

            # The logger asks every handler for the name of its stream; that of pytest has none.
            GLOBAL_LOGGER_BUILDER.set_loggers_level = lambda level: None
            from tvb.simulator import lab

            yield lab
        finally:
            logging.disable(logging.NOTSET)
