"""Sample pictures of what stands in a street: signs, notices, boards, a map."""

import math
import random

from PIL import Image, ImageOps

from brush import FINE, Sheet, grain

GOLD = (250, 206, 92)


def lantern(sheet, x, y, character):
    sheet.line([(x, y - 90), (x, y - 40)], (60, 24, 18), 4)
    sheet.shadow(x - 40, y - 30, 92, 84, 42, 8, 120)
    sheet.oval(x - 48, y - 42, 96, 88, (216, 22, 26))
    sheet.oval(x - 28, y - 42, 56, 88, (236, 50, 42))
    sheet.box(x - 22, y - 45, 44, 9, GOLD, 3)
    sheet.box(x - 22, y + 40, 44, 9, GOLD, 3)
    for i in range(-2, 3):
        sheet.line([(x + i * 7, y + 49), (x + i * 8, y + 88)], GOLD, 2.5)
    sheet.text(x, y + 1, character, 38, GOLD, "mm", True, True)


def bricks(sheet, fill, joint, seed):
    dice = random.Random(seed)
    for row in range(0, sheet.height, 26):
        for x in range(-30 * (row // 26 % 2), sheet.width, 60):
            shade = dice.randrange(-10, 11)
            sheet.box(x + 1, row + 1, 58, 24, tuple(v + shade for v in fill), 2, joint)


def shop_sign():
    sheet = Sheet(1200, 800, (126, 44, 36))
    bricks(sheet, (160, 52, 42), (126, 44, 36), 1)
    # the shop: two windows with warm light, a door
    sheet.box(130, 410, 940, 390, (72, 34, 24))
    for x in (154, 776):
        sheet.fade(x, 436, 270, 260, (255, 220, 140), (250, 176, 84))
        for i in range(1, 4):
            sheet.line([(x + i * 67.5, 436), (x + i * 67.5, 696)], (92, 44, 28), 6)
        sheet.line([(x, 520), (x + 270, 520)], (92, 44, 28), 6)
        sheet.box(x, 708, 270, 92, (128, 40, 32))
        sheet.text(x + 135, 754, "现拉现煮" if x < 500 else "汤鲜面劲", 44, GOLD, "mm", True, gap=12)
    sheet.box(448, 436, 304, 364, (148, 30, 28))
    sheet.line([(600, 436), (600, 800)], (90, 20, 20), 4)
    for x, words in ((524, "八方来客"), (676, "一碗知味")):
        sheet.column(x, 462, words, 56, GOLD, 70, True, True)
    sheet.disc(586, 772, 7, GOLD)
    sheet.disc(614, 772, 7, GOLD)
    # the board
    sheet.shadow(70, 92, 1060, 270, 16, 14, 150)
    sheet.box(60, 76, 1080, 276, (104, 16, 18), 16)
    sheet.fade(72, 88, 1056, 252, (200, 30, 32), (172, 18, 24))
    sheet.box(84, 100, 1032, 228, None, 10, GOLD, 4)
    sheet.text(600, 196, "老街坊牛肉面", 146, (120, 10, 14), "mm", True, True, 14)
    sheet.text(596, 191, "老街坊牛肉面", 146, GOLD, "mm", True, True, 14)
    sheet.text(600, 298, "始于一九八六 · 手工拉面 · 每日现熬", 30, (255, 232, 180), "mm", gap=4)
    for x, character in ((65, "福"), (1135, "旺")):
        lantern(sheet, x, 500, character)
    return sheet.done()


def bus_timetable():
    blue, ink, red = (20, 86, 170), (34, 44, 58), (208, 40, 44)
    stops = ("火车站", "人民广场", "青年路", "图书馆", "市一中", "云溪公园", "科技馆", "体育中心")
    stops += ("南门大街", "大学城", "湖滨花园", "北码头")
    sheet = Sheet(1280, 960, (250, 251, 252))
    sheet.box(0, 0, 1280, 150, blue)
    sheet.box(48, 28, 176, 94, (255, 255, 255), 16)
    sheet.text(136, 75, "28路", 62, blue, "mm", True)
    sheet.text(260, 52, "火车站", 46, (255, 255, 255), "lm", True)
    sheet.line([(424, 52), (500, 52)], (255, 255, 255), 5)
    sheet.area([(498, 40), (522, 52), (498, 64)], (255, 255, 255))
    sheet.text(546, 52, "北码头", 46, (255, 255, 255), "lm", True)
    sheet.text(262, 108, "首班 06:00   末班 22:30   全程约 55 分钟", 27, (206, 226, 250), "lm")
    sheet.text(1232, 52, "票价 2 元", 40, (255, 224, 96), "rm", True)
    sheet.text(1232, 108, "本站：云溪公园", 27, (206, 226, 250), "rm")
    sheet.line([(90, 214), (1190, 214)], blue, 10)
    for i, stop in enumerate(stops):
        x, here = 90 + i * 100, stop == "云溪公园"
        sheet.disc(x, 214, 19 if here else 14, red if here else (255, 255, 255), red if here else blue, 5)
        sheet.column(x, 246, stop, 30, red if here else ink, 38, here)
    sheet.text(64, 452, "发车时刻", 36, blue, "lm", True)
    sheet.text(1216, 452, "数字为每时的分钟", 24, (112, 122, 136), "rm")
    rows = (
        ("时段", "工作日", "周末及节假日"),
        ("06时", "00  15  30  45", "00  20  40"),
        ("07时", "00  08  16  24  32  40  48  56", "00  15  30  45"),
        ("08时", "00  08  16  24  32  40  48  56", "00  12  24  36  48"),
        ("09—16时", "每 12 分钟一班", "每 12 分钟一班"),
        ("17—19时", "每 8 分钟一班", "每 10 分钟一班"),
        ("20—21时", "每 15 分钟一班", "每 15 分钟一班"),
        ("22时", "00  15  30", "00  30"),
    )
    for i, row in enumerate(rows):
        y = 484 + i * 49
        if i % 2 == 0:
            sheet.box(64, y, 1152, 49, (214, 230, 248) if i == 0 else (240, 244, 249))
        for x, words in zip((152, 510, 996), row):
            sheet.text(x, y + 24, words, 26, blue if i == 0 else ink, "mm", i == 0)
    for x in (64, 240, 776, 1216):
        sheet.line([(x, 484), (x, 876)], (176, 196, 220), 1.5)
    for i in range(9):
        sheet.line([(64, 484 + i * 49), (1216, 484 + i * 49)], (176, 196, 220), 1.5)
    sheet.text(64, 918, "请按顺序排队，先下后上；老人、孕妇及学生凭证半价。", 25, ink, "lm")
    sheet.text(1216, 918, "云溪公交 2025年9月1日起执行", 25, (112, 122, 136), "rm")
    return sheet.done()


def lay(sheet, image, x, y, turn):
    """A leaf, turned a little, its middle at x and y."""
    leaf = ImageOps.expand(image.convert("RGBA"), 4, (0, 0, 0, 0))
    leaf = leaf.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    at = (round(x * FINE - leaf.width / 2), round(y * FINE - leaf.height / 2))
    sheet.image.paste(leaf, at, leaf)


def notice():
    ink, red = (42, 34, 20), (204, 24, 24)
    page = Sheet(760, 1050, (250, 226, 76))
    page.box(26, 26, 708, 998, None, 0, red, 5)
    page.box(36, 36, 688, 978, None, 0, red, 1.5)
    page.text(380, 140, "停水通知", 108, red, "mm", True, gap=18)
    page.line([(150, 220), (610, 220)], red, 3)
    page.text(80, 262, "尊敬的各位业主、住户：", 38, ink, bold=True)
    body = (
        "　　因供水管网检修，本小区将于",
        "下列时段暂停供水：",
    )
    page.lines(80, 330, body, 38, ink, 58)
    page.box(80, 462, 600, 176, (255, 244, 178), 8, red, 2.5)
    page.text(380, 512, "11月28日（星期五）", 44, red, "mm", True)
    page.text(380, 586, "上午 9:00 — 下午 5:00", 48, red, "mm", True)
    body = (
        "　　请提前储备生活用水，并关好",
        "家中水龙头。恢复供水后如水质浑",
        "浊，请先放水数分钟再使用。",
    )
    page.lines(80, 668, body, 38, ink, 58)
    page.text(676, 884, "云溪花园物业服务中心", 34, ink, "rm", True)
    page.text(676, 938, "2025年11月25日", 34, ink, "rm")
    page.stamp(200, 922, 82, "云溪花园物业服务中心", "通知专用章", (214, 40, 40))
    wall = Sheet(900, 1200, (152, 154, 158))
    wall.image = grain(wall.image, 2, 4, 6)
    wall.shadow(80, 92, 760, 1050, 0, 12, 130)
    lay(wall, page.image, 450, 600, -1.2)
    for x, y, turn in ((146, 118, 42), (776, 130, -42), (126, 1120, -42), (760, 1130, 42)):
        tape = Image.new("RGBA", (110 * FINE, 40 * FINE), (236, 230, 206, 190))
        lay(wall, tape, x, y, turn)
    return wall.done()


def road_sign():
    green, white = (0, 126, 62), (255, 255, 255)
    sheet = Sheet(1000, 640, (0, 0, 0, 0), "RGBA")
    for x in (236, 724):
        sheet.box(x, 430, 40, 210, (142, 148, 154, 255))
        sheet.box(x + 8, 430, 9, 210, (190, 196, 202, 255))
    sheet.box(20, 20, 960, 500, green, 34)
    sheet.box(34, 34, 932, 472, None, 24, white, 7)
    # the crossing
    sheet.line([(500, 480), (500, 170)], white, 26)
    sheet.area([(462, 184), (500, 122), (538, 184)], white)
    sheet.line([(300, 320), (700, 320)], white, 26)
    sheet.area([(316, 282), (254, 320), (316, 358)], white)
    sheet.area([(684, 282), (746, 320), (684, 358)], white)
    sheet.box(420, 376, 160, 60, green, 8, white, 5)
    sheet.text(500, 406, "S28", 40, white, "mm", True)
    sheet.text(500, 84, "云溪古镇  12km", 54, white, "mm", True)
    sheet.text(148, 288, "江城", 60, white, "mm", True)
    sheet.text(148, 358, "35km", 42, white, "mm", True)
    sheet.text(852, 288, "北码头", 60, white, "mm", True)
    sheet.text(852, 358, "8km", 42, white, "mm", True)
    sheet.text(230, 452, "前方500米", 36, white, "mm")
    sheet.text(770, 452, "减速慢行", 36, white, "mm")
    return sheet.done()


def blackboard():
    sheet = Sheet(1600, 1200, (150, 98, 52))
    for y in range(0, 1200, 8):
        sheet.line([(0, y), (1600, y + 6)], (142, 92, 48), 1.5)
    sheet.box(52, 52, 1496, 1040, (92, 56, 28))
    sheet.fade(62, 62, 1476, 1020, (34, 96, 66), (26, 82, 56))
    sheet.box(52, 1108, 1496, 30, (118, 74, 38), 4)
    for x, fill in ((220, (246, 246, 240)), (340, (248, 214, 110)), (430, (240, 150, 160))):
        sheet.box(x, 1098, 84, 16, fill, 7)
    sheet.box(1180, 1080, 190, 34, (70, 74, 84), 5)
    sheet.box(1180, 1102, 190, 14, (226, 222, 210), 3)

    def white(chalk):
        chalk.text(800, 168, "静  夜  思", 108, 255, "mm", True, True)
        chalk.text(800, 262, "〔唐〕李白", 50, 255, "mm", False, True)
        poem = ("床前明月光，", "疑是地上霜。", "举头望明月，", "低头思故乡。")
        for i, words in enumerate(poem):
            chalk.text(830, 390 + i * 122, words, 92, 255, "mm", False, True, 20)
        chalk.text(150, 130, "语文", 56, 255, "lm", True)
        chalk.line([(140, 172), (286, 172)], 255, 4)
        chalk.text(1460, 130, "11月25日 星期二", 42, 255, "rm")
        chalk.line([(1260, 700), (1260, 1020)], 255, 3)
        chalk.text(1382, 724, "值日生", 44, 255, "mm", True)
        for i, name in enumerate(("林小雨", "周子安", "陈一鸣", "许可")):
            chalk.text(1382, 792 + i * 62, name, 44, 255, "mm")

    def yellow(chalk):
        chalk.disc(272, 420, 92, None, 255, 6)
        for x, y in ((150, 330), (400, 340), (420, 500)):
            chalk.star(x, y, 18, 255)
        chalk.line([(628, 924), (1034, 924)], 255, 4)
        chalk.text(830, 976, "作业：背诵全诗，抄写生字三遍", 46, 255, "mm")

    def pink(chalk):
        chalk.text(272, 632, "生字", 50, 255, "mm", True)
        sounds = (("chuáng", "床"), ("yí", "疑"), ("shuāng", "霜"), ("xiāng", "乡"))
        for i, (sound, character) in enumerate(sounds):
            x, y = 172 + i % 2 * 200, 720 + i // 2 * 190
            chalk.text(x, y - 8, sound, 36, 255, "mm")
            chalk.box(x - 56, y + 26, 112, 112, None, 0, 255, 3)
            chalk.text(x, y + 80, character, 84, 255, "mm", False, True)

    sheet.rough(4, (246, 246, 240), white, 48, 3)
    sheet.rough(5, (252, 222, 120), yellow, 48, 3)
    sheet.rough(6, (255, 190, 200), pink, 48, 3)
    return sheet.done()


def shore(x, y, radius, seed, squeeze=1.0):
    """A closed, wavy outline."""
    dice = random.Random(seed)
    waves = [(n, dice.uniform(0.02, 0.09), dice.uniform(0, 6.3)) for n in (2, 3, 4, 5)]
    points = []
    for i in range(240):
        angle = i * math.pi / 120
        far = radius * (1 + sum(a * math.sin(n * angle + p) for n, a, p in waves))
        points.append((x + far * math.cos(angle), y + far * math.sin(angle) * squeeze))
    return points


def lake_map():
    ink, water, path = (40, 66, 70), (126, 208, 210), (252, 250, 240)
    sheet = Sheet(960, 900, (202, 230, 166))
    for x, y, radius, seed in ((120, 250, 90, 1), (860, 300, 100, 2), (840, 780, 120, 3), (90, 800, 110, 4)):
        sheet.area(shore(x, y, radius, seed), (168, 210, 126))
    lake = shore(480, 476, 396, 9, 0.89)
    sheet.line(lake + lake[:2], path, 26)
    sheet.line(lake + lake[:2], (236, 206, 130), 4)
    sheet.area(shore(480, 476, 384, 9, 0.89), water)
    for x, y in ((300, 380), (560, 300), (720, 530), (290, 600), (520, 700)):
        for i in range(3):
            sheet.arc(x + i * 26, y, 13, 200, 340, (92, 182, 190), 3)
    for x, y, radius, seed in ((430, 470, 62, 5), (620, 430, 40, 6)):
        sheet.area(shore(x, y, radius, seed), (196, 222, 150))
    sheet.line([(430, 520), (420, 640), (400, 800)], path, 12)
    sheet.line([(470, 452), (580, 436)], path, 10)
    places = (
        (430, 462, "湖心亭", (214, 60, 50)),
        (620, 424, "观鱼台", (214, 60, 50)),
        (168, 300, "北码头", (30, 104, 190)),
        (800, 300, "桃花林", (206, 70, 130)),
        (796, 720, "云溪古寺", (150, 90, 40)),
        (176, 740, "游客中心", (30, 104, 190)),
        (400, 800, "南门", (60, 120, 60)),
    )
    for x, y, name, fill in places:
        wide = sheet.length(name, 25, True) + 26
        sheet.area([(x - 11, y - 20), (x + 11, y - 20), (x, y + 2)], fill)
        sheet.disc(x, y - 30, 17, fill)
        sheet.disc(x, y - 30, 7, (255, 255, 255))
        sheet.box(x - wide / 2, y + 6, wide, 38, (255, 255, 255), 9, (190, 200, 190), 1)
        sheet.text(x, y + 25, name, 25, ink, "mm", True)
    sheet.text(580, 604, "云 溪 湖", 58, (34, 124, 138), "mm", True, True)
    sheet.box(0, 0, 960, 96, (20, 122, 128))
    sheet.text(40, 48, "云溪湖景区导览图", 48, (255, 255, 255), "lm", True, gap=4)
    sheet.disc(890, 48, 34, (255, 255, 255))
    sheet.area([(890, 20), (902, 48), (878, 48)], (214, 60, 50))
    sheet.area([(890, 76), (902, 48), (878, 48)], (60, 80, 90))
    sheet.text(838, 48, "北", 32, (255, 255, 255), "mm", True)
    sheet.box(0, 852, 960, 48, (250, 250, 244))
    sheet.text(40, 876, "环湖步道全长 6.8 公里，步行约 2 小时", 24, ink, "lm")
    sheet.line([(736, 884), (736, 876), (876, 876), (876, 884)], ink, 3)
    sheet.text(806, 864, "500米", 18, ink, "mm")
    return sheet.done()
