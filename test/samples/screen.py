"""Sample pictures made for screens: poster, chart, chat, weather, product page."""

import random

from brush import Sheet

WHITE = (255, 255, 255)


def poster():
    gold, pale = (255, 214, 110), (238, 216, 255)
    sheet = Sheet(800, 1200, (104, 36, 156))
    sheet.fade(0, 0, 800, 1200, (84, 26, 130), (150, 62, 196))
    dice = random.Random(20)
    for _ in range(90):
        x, y = dice.uniform(0, 800), dice.uniform(0, 760)
        if not 90 < x < 390 or y < 90:  # not between the words
            sheet.disc(x, y, dice.uniform(0.8, 2.4), pale)
    sheet.disc(588, 340, 170, (246, 196, 120))
    sheet.disc(588, 340, 159, (255, 226, 150))
    for x, y, radius in ((530, 290, 24), (636, 386, 34), (612, 262, 14), (520, 404, 17)):
        sheet.disc(x, y, radius, (250, 212, 132))
    hills = ((760, (112, 40, 160)), (850, (90, 28, 134)), (950, (66, 18, 104)))
    for i, (y, fill) in enumerate(hills):
        points = [(0, 1200), (0, y + 40)]
        points += [(x, y + dice.randrange(-70, 60)) for x in range(100 - i * 30, 800, 130)]
        sheet.area(points + [(800, y + 20), (800, 1200)], fill)
    sheet.column(170, 110, "中秋音乐会", 116, gold, 134, True, True)
    sheet.column(292, 136, "月满云溪", 44, pale, 60, False, True)
    sheet.column(352, 136, "民乐与合唱之夜", 32, pale, 42, False, True)
    sheet.text(400, 958, "10月6日 星期一 19:30", 54, WHITE, "mm", True)
    sheet.text(400, 1024, "云溪镇文化广场 · 露天舞台", 36, pale, "mm")
    sheet.box(250, 1066, 300, 64, gold, 32)
    sheet.text(400, 1098, "免费入场", 36, (84, 26, 130), "mm", True, gap=8)
    sheet.text(400, 1164, "主办：云溪镇文化站    如遇雨天顺延一日", 24, pale, "mm")
    return sheet.done()


def chart():
    ink, soft, blue, orange = (44, 52, 64), (120, 130, 144), (52, 118, 206), (244, 148, 54)
    sheet = Sheet(960, 640, WHITE)
    sheet.text(480, 52, "云溪镇各季度游客人数", 38, ink, "mm", True)
    sheet.text(72, 104, "单位：万人次", 20, soft, "lm")
    for x, fill, words in ((660, blue, "2024年"), (790, orange, "2025年")):
        sheet.box(x, 94, 22, 22, fill, 4)
        sheet.text(x + 32, 105, words, 22, ink, "lm")
    for value in range(0, 81, 20):
        y = 540 - value * 5
        sheet.line([(92, y), (900, y)], (218, 223, 230) if value else ink, 1.5)
        sheet.text(80, y, str(value), 20, soft, "rm")
    seasons = (("第一季度", 31.2, 36.8), ("第二季度", 48.5, 55.1), ("第三季度", 62.7, 74.3), ("第四季度", 40.9, 46.0))
    for i, (name, before, now) in enumerate(seasons):
        x = 193 + i * 202
        for left, value, fill in ((x - 66, before, blue), (x + 6, now, orange)):
            sheet.box(left, 540 - value * 5, 60, value * 5, fill)
            sheet.text(left + 30, 526 - value * 5, "%.1f" % value, 20, ink, "mm", True)
        sheet.text(x, 570, name, 23, ink, "mm")
    sheet.text(480, 614, "数据来源：云溪镇旅游服务中心（样例数据）", 18, soft, "mm")
    return sheet.done()


def bubble(sheet, y, words, mine):
    """A message and its sender's picture; the y after it."""
    fill, ink = ((62, 178, 112), (10, 24, 16)) if mine else ((44, 44, 46), (232, 232, 232))
    wide = max(sheet.length(line, 24) for line in words) + 36
    high = 36 * len(words) + 22
    left = 540 - 86 - wide if mine else 86
    edge = 540 - 86 if mine else 86
    out = 9 if mine else -9
    sheet.box(540 - 70 if mine else 16, y, 54, 54, (226, 142, 66) if mine else (92, 128, 196), 8)
    sheet.text(540 - 43 if mine else 43, y + 27, "我" if mine else "妈", 28, WHITE, "mm", True)
    sheet.area([(edge, y + 18), (edge + out, y + 27), (edge, y + 36)], fill)
    sheet.box(left, y, wide, high, fill, 9)
    sheet.lines(left + 18, y + 29, words, 24, ink, 36, anchor="lm")
    return y + high + 26


def chat():
    dim = (128, 128, 132)
    sheet = Sheet(540, 1170, (17, 17, 18))
    sheet.box(0, 0, 540, 112, (28, 28, 30))
    sheet.text(34, 28, "18:42", 22, WHITE, "lm", True)
    sheet.box(470, 19, 38, 18, None, 4, WHITE, 1.5)
    sheet.box(473, 22, 26, 12, WHITE, 2)
    sheet.line([(40, 68), (28, 80), (40, 92)], WHITE, 3.5)
    sheet.text(270, 80, "妈妈", 28, WHITE, "mm", True)
    for x in (486, 498, 510):
        sheet.disc(x, 80, 3, WHITE)
    sheet.text(270, 146, "今天 17:58", 18, dim, "mm")
    y = 176
    talk = (
        (("下班了吗？晚上回来吃饭不？",), False),
        (("刚下班，在路上了，", "大概七点到家。"), True),
        (("好，炖了排骨莲藕汤，", "再炒个青菜。"), False),
        (("太好了！要不要我带点水果？",), True),
        (("家里还有苹果，买一把香蕉", "就行。路上慢点，别着急。"), False),
        (("收到！",), True),
    )
    for words, mine in talk:
        y = bubble(sheet, y, words, mine)
    sheet.text(270, y + 10, "18:41", 18, dim, "mm")
    y = bubble(sheet, y + 40, ("香蕉买好了，马上上楼~",), True)
    bubble(sheet, y, ("门给你留着呢。",), False)
    sheet.box(0, 1076, 540, 94, (28, 28, 30))
    sheet.disc(40, 1118, 19, None, WHITE, 2.5)
    sheet.arc(32, 1118, 9, -50, 50, WHITE, 2.5)
    sheet.box(76, 1094, 340, 48, (44, 44, 46), 8)
    sheet.text(94, 1118, "说点什么…", 22, dim, "lm")
    sheet.disc(450, 1118, 19, None, WHITE, 2.5)
    sheet.arc(450, 1119, 10, 20, 160, WHITE, 2.5)
    sheet.disc(443, 1113, 2.5, WHITE)
    sheet.disc(457, 1113, 2.5, WHITE)
    sheet.disc(504, 1118, 19, None, WHITE, 2.5)
    sheet.line([(494, 1118), (514, 1118)], WHITE, 2.5)
    sheet.line([(504, 1108), (504, 1128)], WHITE, 2.5)
    sheet.box(190, 1156, 160, 5, WHITE, 2)
    return sheet.done()


def cloud(sheet, x, y, size, fill=WHITE):
    for dx, dy, radius in ((-0.55, 0.1, 0.34), (-0.1, -0.16, 0.46), (0.45, 0.02, 0.38)):
        sheet.disc(x + dx * size, y + dy * size, radius * size, fill)
    sheet.box(x - 0.86 * size, y + 0.05 * size, 1.68 * size, 0.38 * size, fill, 0.19 * size)


def sky(sheet, x, y, size, kind):
    if kind != "雨":
        sheet.disc(x, y, size * 0.62, (255, 206, 74))
    if kind == "多云":
        cloud(sheet, x + size * 0.3, y + size * 0.34, size * 0.74)
    if kind == "雨":
        cloud(sheet, x, y - size * 0.2, size * 0.9, (216, 228, 242))
        for dx in (-0.4, 0, 0.4):
            top, end = (x + dx * size, y + 0.36 * size), (x + (dx - 0.14) * size, y + 0.7 * size)
            sheet.line([top, end], (150, 214, 255), 3)


def weather():
    pale = (206, 226, 250)
    sheet = Sheet(450, 800, (40, 104, 196))
    # in broad steps: a lossless file keeps each
    for i in range(20):
        sheet.box(0, i * 40, 450, 40, (30 + i * 2, 92 + i * 3, 190 + i * 2))
    sheet.text(225, 62, "江城", 38, WHITE, "mm", True)
    sheet.text(225, 102, "11月25日 星期二", 19, pale, "mm")
    sky(sheet, 118, 200, 64, "多云")
    sheet.text(290, 194, "16°", 104, WHITE, "mm")
    sheet.text(225, 284, "多云   最高 19°   最低 9°", 23, WHITE, "mm")
    sheet.text(225, 320, "空气质量 良   东南风 2 级   湿度 58%", 18, pale, "mm")
    sheet.box(20, 350, 410, 150, (28, 82, 170), 16)
    hours = (("现在", "多云", 16), ("19时", "多云", 15), ("20时", "多云", 14), ("21时", "雨", 13), ("22时", "雨", 12))
    for i, (hour, kind, degrees) in enumerate(hours):
        x = 64 + i * 80
        sheet.text(x, 380, hour, 18, pale, "mm")
        sky(sheet, x, 424, 22, kind)
        sheet.text(x + 3, 474, "%d°" % degrees, 22, WHITE, "mm", True)
    sheet.box(20, 516, 410, 262, (28, 82, 170), 16)
    days = (
        ("今天", "多云", 9, 19),
        ("周三", "雨", 8, 14),
        ("周四", "雨", 7, 12),
        ("周五", "晴", 5, 15),
        ("周六", "晴", 6, 18),
    )
    for i, (day, kind, low, high) in enumerate(days):
        y = 548 + i * 50
        sheet.text(44, y, day, 21, WHITE, "lm", True)
        sky(sheet, 142, y, 19, kind)
        sheet.text(216, y, "%d°" % low, 20, pale, "rm")
        sheet.box(230, y - 4, 130, 8, (20, 62, 134), 4)
        sheet.box(230 + (low - 4) * 8, y - 4, (high - low) * 8, 8, (255, 206, 74), 4)
        sheet.text(408, y, "%d°" % high, 20, WHITE, "rm")
    return sheet.done()


ROSE, PALE_ROSE, DEEP_ROSE, WINE = (248, 178, 196), (252, 206, 216), (226, 96, 130), (112, 28, 56)


def blossom(sheet, x, y, size, fill=(255, 240, 244)):
    for dx, dy in ((0, -1), (0.95, -0.31), (0.59, 0.81), (-0.59, 0.81), (-0.95, -0.31)):
        sheet.disc(x + dx * size, y + dy * size, size * 0.72, fill)
    sheet.disc(x, y, size * 0.45, DEEP_ROSE)


def tin(sheet, x, y, scale):
    """A tea tin, centred on x, its lid's top at y."""
    wide, high = 300 * scale, 420 * scale
    sheet.shadow(x - wide / 2 + 8, y + 40, wide, high, 18, 16, 80)
    sheet.box(x - wide / 2, y + 50 * scale, wide, high, (214, 74, 112), 18 * scale)
    sheet.box(x - wide / 2 - 6 * scale, y, wide + 12 * scale, 74 * scale, (150, 38, 74), 16 * scale)
    sheet.box(x - 76 * scale, y + 122 * scale, 152 * scale, 290 * scale, (255, 244, 240), 8 * scale)
    sheet.column(x, y + 140 * scale, "桃花乌龙", 52 * scale, WINE, 60 * scale, True, True)
    sheet.text(x, y + 396 * scale, "净含量 100g", 17 * scale, WINE, "mm")
    blossom(sheet, x - 112 * scale, y + 150 * scale, 13 * scale)
    blossom(sheet, x + 112 * scale, y + 390 * scale, 13 * scale)


def heading(sheet, y, words, below):
    sheet.text(375, y, words, 54, WINE, "mm", True, True, 6)
    sheet.text(375, y + 58, below, 26, WINE, "mm", gap=3)
    sheet.line([(295, y + 96), (455, y + 96)], DEEP_ROSE, 4)


def product_top(sheet):
    sheet.fade(0, 0, 750, 1000, (244, 158, 182), (250, 190, 206))
    blossoms = ((80, 90, 26), (694, 62, 30), (120, 420, 18), (650, 520, 22), (70, 760, 30), (690, 840, 20))
    for x, y, size in blossoms:
        blossom(sheet, x, y, size)
    sheet.text(375, 150, "桃花乌龙茶", 96, WINE, "mm", True, True, 8)
    sheet.text(375, 244, "一口春天，花香入喉", 40, WINE, "mm", gap=8)
    tin(sheet, 375, 320, 1.15)
    sheet.box(205, 894, 340, 72, WINE, 36)
    sheet.text(375, 930, "新品尝鲜价 ¥59", 36, (255, 226, 150), "mm", True)


def product_reasons(sheet):
    sheet.box(0, 1000, 750, 950, PALE_ROSE)
    heading(sheet, 1080, "四个理由选择它", "好茶看得见")
    reasons = (
        ("高山原叶", "海拔八百米茶园", "只采一芽二叶"),
        ("鲜花窨制", "三窨一提慢功夫", "花香沁入叶底"),
        ("低温烘焙", "保留茶多酚", "入口不苦不涩"),
        ("独立小包", "每包五克", "干净也方便携带"),
    )
    for i, (title, *body) in enumerate(reasons):
        x, y = 50 + i % 2 * 335, 1220 + i // 2 * 350
        sheet.box(x, y, 315, 320, ROSE, 24)
        sheet.disc(x + 157, y + 82, 52, (255, 244, 240))
        sheet.text(x + 157, y + 82, "一二三四"[i], 52, DEEP_ROSE, "mm", True, True)
        sheet.text(x + 157, y + 178, title, 40, WINE, "mm", True)
        sheet.lines(x + 157, y + 232, body, 27, WINE, 42, anchor="mm")


def product_facts(sheet):
    heading(sheet, 2030, "产品参数", "放心每一片")
    facts = (
        ("品名", "桃花乌龙茶（花茶）"),
        ("配料", "乌龙茶、桃花"),
        ("净含量", "100 克（5 克 × 20 包）"),
        ("产地", "云溪镇高山茶园"),
        ("保质期", "18 个月"),
        ("贮存", "阴凉干燥，密封避光"),
    )
    for i, (name, value) in enumerate(facts):
        y = 2160 + i * 84
        sheet.box(60, y, 630, 76, PALE_ROSE if i % 2 else (250, 192, 208), 10)
        sheet.text(90, y + 38, name, 30, WINE, "lm", True, gap=(114 - 30 * len(name)) / (len(name) - 1))
        sheet.text(260, y + 38, value, 30, WINE, "lm")


def product_steps(sheet):
    sheet.box(0, 2730, 750, 800, PALE_ROSE)
    heading(sheet, 2810, "三步泡好一杯茶", "盖碗、马克杯都可以")
    steps = (("取茶", "一包五克，投入杯中"), ("注水", "九十度热水，约三百毫升"), ("出汤", "静置三十秒，可冲泡五次"))
    for i, (title, words) in enumerate(steps):
        y = 2960 + i * 180
        sheet.box(60, y, 630, 154, ROSE, 24)
        sheet.disc(140, y + 77, 46, DEEP_ROSE)
        sheet.text(140, y + 76, str(i + 1), 54, WHITE, "mm", True)
        sheet.text(216, y + 50, title, 40, WINE, "lm", True)
        sheet.text(216, y + 106, words, 30, WINE, "lm")
        if i < 2:
            sheet.area([(128, y + 158), (152, y + 158), (140, y + 174)], DEEP_ROSE)


def product():
    sheet = Sheet(750, 4000, ROSE)
    product_top(sheet)
    product_reasons(sheet)
    product_facts(sheet)
    product_steps(sheet)
    sheet.text(375, 3610, "温馨提示", 44, WINE, "mm", True, True, 6)
    hints = ("因批次不同，花瓣颜色略有差异，属正常现象。", "孕期及对花粉敏感者请谨慎饮用。", "收到商品七日内，未拆封可无忧退换。")
    sheet.lines(375, 3680, hints, 28, WINE, 50, anchor="mm")
    sheet.box(0, 3850, 750, 150, DEEP_ROSE)
    sheet.text(375, 3905, "云溪茶事", 46, WHITE, "mm", True, True, 10)
    sheet.text(375, 3960, "把山里的春天，寄给你", 28, (255, 228, 234), "mm", gap=4)
    return sheet.done()
