"""OpenCV contrib's selective search ("fast") over the images of a folder: boxes and CPU seconds, as JSON.

    python selective_search.py FOLDER

Needs opencv-contrib-python-headless, which cannot lie beside another OpenCV.
"""

import json
import sys
import time
from pathlib import Path

import cv2

cv2.setNumThreads(1)
found = {}
for path in sorted(Path(sys.argv[1]).glob("*.png")):
    image = cv2.imread(str(path))
    start = time.process_time()
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(image)
    search.switchToSelectiveSearchFast()
    boxes = search.process()
    seconds = time.process_time() - start
    edges = [[int(x), int(y), int(x + w), int(y + h)] for x, y, w, h in boxes.tolist()]
    found[path.stem] = {"boxes": edges, "seconds": seconds}
print(json.dumps({"version": cv2.__version__, "found": found}))
