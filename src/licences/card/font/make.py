#!/usr/bin/env python3
"""Makes NotoSansCJKsc-GBK.otf. See README.md beside this file.

    pip install fonttools
    python3 make.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
"""

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection


def gbk():
    """What GBK encodes, without its private use areas."""
    for high in range(0x81, 0xFF):
        for low in range(0x40, 0xFF):
            try:
                text = bytes([high, low]).decode("gbk")
            except UnicodeDecodeError:
                continue
            yield from (ord(c) for c in text if not 0xE000 <= ord(c) <= 0xF8FF)


def main(collection):
    faces = TTCollection(collection).fonts
    face = next(face for face in faces if face["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.desubroutinize = True
    # A file that is made twice is the same file.
    options.recalc_timestamp = False
    subsetter = subset.Subsetter(options)
    # ASCII, and what there is of Latin-1 and Latin Extended-A: names of holders from abroad.
    subsetter.populate(unicodes={*range(0x20, 0x7F), *range(0xA0, 0x180), *gbk()})
    subsetter.subset(face)
    subset.save_font(face, Path(__file__).with_name("NotoSansCJKsc-GBK.otf"), options)


if __name__ == "__main__":
    main(*sys.argv[1:])
