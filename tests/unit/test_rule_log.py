"""What stands in the log of a rule."""

import logging

from mangrove.logs import rule_log


def test_a_log_does_not_list_the_devices_that_a_machine_lacks(tmp_path):
    with rule_log(str(tmp_path / "rule.log")):
        logging.getLogger("jax._src.xla_bridge").info("Unable to initialize backend 'tpu'")
        logging.getLogger("jax._src.xla_bridge").warning("an NVIDIA GPU may be present")
        logging.getLogger("mangrove.any").info("12 spectra")
    written = (tmp_path / "rule.log").read_text()
    assert "'tpu'" not in written
    assert "an NVIDIA GPU may be present" in written and "12 spectra" in written
