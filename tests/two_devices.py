"""The environment of a process that sees two devices: halves of a CPU."""

import os

#: Beside the flags that all tests have.
TWO_DEVICES = {"XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"}
