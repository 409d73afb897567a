"""What is made once and kept: all of it, or the latest used."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakValueDictionary


class KeptValues:
    """What was made for keys; safe in several threads.

    Parameters
    ----------
    most : int, optional
        How many are kept: those that were used last. All by default.
    """

    def __init__(self, most: int | None = None):
        self._most = most
        self._made: OrderedDict[Hashable, Any] = OrderedDict()
        #: Of each key that is being made; they are gone when nobody waits any more.
        self._locks: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What ``make`` returns, made once for as long as it is kept.

        Others who ask for the same wait; those who ask for something else do not. What fails is tried again.
        """
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
            own = self._locks.get(key)
            if own is None:
                own = self._locks[key] = threading.RLock()
        with own:
            if key not in self._made:
                self._keep(key, made := make())
                return made
            return self.get(key, make)

    def _keep(self, key: Hashable, made: Any) -> None:
        with self._lock:
            self._made[key] = made
            if self._most is not None and len(self._made) > self._most:
                self._made.popitem(last=False)
