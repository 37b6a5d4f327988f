"""The gateway writes XML and never reads any: there is no parser for anybody to feed."""

import json
import subprocess
import sys

PARSERS = ("pyexpat", "xml.etree", "xml.dom", "xml.parsers", "lxml", "defusedxml", "xmltodict")
PROGRAM = """
import json, sys
import direct311.intake.__main__
print(json.dumps(sorted(sys.modules)))
"""


def test_no_xml_parser_is_in_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = json.loads(done.stdout)
    assert "direct311.intake.app" in loaded
    assert [name for name in loaded if name.startswith(PARSERS)] == []
