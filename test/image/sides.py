"""sides.py: image_smart_resize against the rule as published, for 100,000 random sizes.

The rule, from Qwen's own processor (qwen_vl_utils, vision_process.py): both sides to
the nearest multiple of the factor; where that is too many pixels or too few, both by
the root of the quotient, down or up to a multiple; sides over 200 : 1 are refused.
"""
import math
import random
import sys

from pictures import PICTURE, run


def sides(height, width, factor, min_pixels, max_pixels):
    if max(height, width) / min(height, width) > 200:
        return None
    h = max(factor, round(height / factor) * factor)
    w = max(factor, round(width / factor) * factor)
    if h * w > max_pixels:
        beta = math.sqrt(height * width / max_pixels)
        h = max(factor, math.floor(height / beta / factor) * factor)
        w = max(factor, math.floor(width / beta / factor) * factor)
    elif h * w < min_pixels:
        beta = math.sqrt(min_pixels / (height * width))
        h = math.ceil(height * beta / factor) * factor
        w = math.ceil(width * beta / factor) * factor
    return h, w


def tokens(height, width, patches):
    h, w = sides(height, width, 28, 4 * 28 * 28, patches * 28 * 28)
    return h // 28 * (w // 28)


# width, height, tokens without and with a cap of 1280 patches: figures of a study of the field
for width, height, free, capped in ((640, 480, 391, 391), (800, 600, 609, 609), (1080, 1440, 1989, 1230),
                                    (1920, 1080, 2691, 1222), (4000, 3000, 15301, 1230), (750, 8000, 7722, 1160),
                                    (120, 90, 12, 12)):
    if (tokens(height, width, 16384), tokens(height, width, 1280)) != (free, capped):
        sys.exit(f"this script's rule is not the published one: {width} x {height}")

rng = random.Random(5)
asked = []
for i in range(100000):
    factor = rng.choice((28, 32))
    most = rng.choice((256, 768, 1280, 5120, 16384))
    if i % 4 == 0:
        # where rounding decides: at and beside halves of the factor
        height, width = (max(1, factor * rng.randint(0, 200) // 2 + rng.randint(-1, 1)) for _ in range(2))
    elif i % 4 == 1:
        # beside the limits of pixels and of the ratio
        height = rng.randint(1, 3000)
        width = max(1, rng.choice((200 * height, most * factor * factor // height, 4 * factor * factor // height)) + rng.randint(-2, 2))
    else:
        height, width = (int(math.exp(rng.uniform(0, math.log(65500)))) for _ in range(2))
    asked.append((height, width, factor, 4 * factor * factor, most * factor * factor))
answers = run(PICTURE, "sides", data="".join("%d %d %d %d %d\n" % one for one in asked).encode()).decode().splitlines()
if len(answers) != len(asked):
    sys.exit(f"{len(asked)} sizes asked, {len(answers)} answered")
differ = [(one, answer, sides(*one)) for one, answer in zip(asked, answers)
          if answer != ("refused" if sides(*one) is None else "%d %d" % sides(*one))]
for one, answer, rule in differ[:10]:
    print(f"not ok: {one}: {answer}, by the rule {rule}")
print(f"# {len(asked)} sizes, {sum(answer == 'refused' for answer in answers)} refused, {len(differ)} differ")
sys.exit(len(differ) > 0)
