"""Sample pictures of what is on paper: menu, ticket, book, receipt, scroll."""

import random

from PIL import ImageChops, ImageFilter

from brush import FINE, Sheet, grain, noise


def menu():
    brown, red = (84, 42, 18), (190, 34, 24)
    sheet = Sheet(720, 1000, (236, 176, 102))
    sheet.box(22, 22, 676, 956, None, 10, brown, 5)
    sheet.box(34, 34, 652, 932, None, 6, brown, 1.5)
    sheet.text(360, 104, "江南小馆", 82, brown, "mm", True, True, 16)
    sheet.text(360, 170, "家常菜 · 时令鲜 · 慢火功夫", 24, brown, "mm", gap=3)
    parts = (
        (
            "热菜",
            (("东坡肉", 48, 0), ("清蒸鲈鱼", 68, 0), ("麻婆豆腐", 22, 1), ("小炒黄牛肉", 46, 1), ("油焖春笋", 32, 0)),
        ),
        ("凉菜", (("拍黄瓜", 12, 0), ("口水鸡", 36, 1), ("桂花糖藕", 18, 0))),
        ("主食", (("阳春面", 10, 0), ("扬州炒饭", 20, 0), ("荠菜馄饨", 16, 0))),
        ("饮品", (("酸梅汤", 8, 0), ("龙井茶（壶）", 38, 0))),
    )
    y = 212
    for part, dishes in parts:
        sheet.box(70, y, 92, 40, brown, 8)
        sheet.text(116, y + 20, part, 26, (250, 214, 160), "mm", True)
        sheet.line([(176, y + 20), (650, y + 20)], brown, 1.5)
        y += 54
        for name, price, hot in dishes:
            sheet.text(84, y + 14, name, 28, (60, 30, 14), "lm", False, True)
            x = 84 + sheet.length(name, 28, False, True) + 14
            if hot:
                sheet.area([(x, y + 6), (x + 16, y + 10), (x + 6, y + 26), (x + 2, y + 18)], red)
                sheet.line([(x + 12, y + 8), (x + 18, y + 2)], (60, 110, 40), 3)
                x += 30
            sheet.dashes(x, 556, y + 18, (150, 92, 44), 3, 6)
            sheet.text(640, y + 14, "%d 元" % price, 28, red, "rm", True)
            y += 36
        y += 8
    sheet.text(360, 938, "辣味可选   本店不收餐具费   欢迎自带酒水", 21, brown, "mm")
    return sheet.done()


def calligraphy():
    scroll = Sheet(480, 960, 118, "L")
    for y in range(0, 960, 12):
        for x in range(y // 12 % 2 * 6, 480, 12):
            scroll.disc(x, y, 2, 126)
    scroll.box(54, 80, 372, 800, 172)
    page = grain(scroll.done(), 7, 6, 3)

    large = Sheet(480, 960, 0, "L")
    large.column(282, 108, "山高水长", 168, 255, 186, True, True)
    small = Sheet(480, 960, 0, "L")
    small.column(126, 196, "岁在乙巳仲秋", 34, 255, 44, True, True)
    small.column(126, 482, "林远书于云溪", 34, 255, 44, True, True)
    # ink runs into the paper: blur the strokes, cut them at a level that varies
    level = noise(480 * FINE, 960 * FINE, 8, 5).point(lambda v: v // 4)
    for ink, blur in ((large, 3.4), (small, 1)):
        edge = ink.image.filter(ImageFilter.GaussianBlur(blur))
        edge = ImageChops.subtract(edge, level).point(lambda v: max(0, min(255, (v - 60) * 6)))
        page.paste(30, mask=edge.reduce(FINE))

    seal = Sheet(480, 960, 0, "L")
    seal.box(102, 774, 48, 48, 255, 5)
    seal.text(126, 785, "林", 22, 0, "mm", True, True)
    seal.text(126, 809, "远", 22, 0, "mm", True, True)
    page.paste(84, mask=seal.done())
    return page


def ticket_code(sheet, x, y, side, seed):
    """Something that looks like a square code; it says nothing."""
    dice = random.Random(seed)
    cells = 25
    step = side / cells
    sheet.box(x - 4, y - 4, side + 8, side + 8, (244, 249, 254))
    for row in range(cells):
        for column in range(cells):
            if dice.random() < 0.48:
                sheet.box(x + column * step, y + row * step, step, step, (24, 34, 48))
    for dx, dy in ((0, 0), (cells - 7, 0), (0, cells - 7)):
        left, top = x + dx * step, y + dy * step
        sheet.box(left - step * 0.5, top - step * 0.5, step * 8, step * 8, (244, 249, 254))
        sheet.box(left, top, step * 7, step * 7, None, 0, (24, 34, 48), step)
        sheet.box(left + step * 2, top + step * 2, step * 3, step * 3, (24, 34, 48))


def train_ticket():
    ink, red = (22, 32, 50), (206, 48, 46)
    sheet = Sheet(860, 540, (122, 136, 150))
    sheet.shadow(24, 26, 816, 494, 24, 8, 110)
    sheet.box(20, 20, 820, 500, (158, 202, 242), 24)
    for i in range(7):
        sheet.arc(430, 516, 100 + i * 46, 180, 360, (144, 192, 238), 3)
    sheet.text(56, 66, "Z27A054413", 34, red, "lm")
    sheet.text(804, 66, "检票：12B", 30, ink, "rm", True)
    sheet.text(164, 124, "江城东站", 50, ink, "mm", True)
    sheet.text(692, 124, "云溪南站", 50, ink, "mm", True)
    sheet.text(164, 170, "Jiangchengdong", 24, ink, "mm")
    sheet.text(692, 170, "Yunxinan", 24, ink, "mm")
    sheet.text(430, 104, "G2806", 46, ink, "mm", True)
    sheet.line([(330, 146), (522, 146)], ink, 4)
    sheet.area([(518, 136), (544, 146), (518, 156)], ink)
    sheet.text(56, 226, "2025年11月28日  09:36 开", 34, ink, "lm", True)
    sheet.text(804, 226, "05车 12F号", 34, ink, "rm", True)
    sheet.text(56, 280, "¥ 73.5 元", 34, ink, "lm", True)
    sheet.text(804, 280, "二等座", 34, ink, "rm", True)
    sheet.text(56, 330, "限乘当日当次车", 28, ink, "lm")
    sheet.text(56, 386, "3301**********0012  王小明", 32, ink, "lm", True)
    sheet.box(56, 418, 500, 78, None, 6, ink, 1.5)
    sheet.text(306, 442, "买票请到车站窗口或自动售票机", 24, ink, "mm")
    sheet.text(306, 474, "样票 · 仅供展示 · 不得乘车", 24, red, "mm", True)
    ticket_code(sheet, 654, 342, 146, 10)
    return sheet.done()


def book_cover():
    cream = (240, 222, 186)
    sheet = Sheet(420, 600, (118, 70, 38))
    for i in range(0, 600, 3):
        sheet.line([(0, i), (420, i)], (112, 66, 35), 1)
    for i in range(0, 420, 3):
        sheet.line([(i, 0), (i, 600)], (123, 74, 41), 0.5)
    sheet.box(0, 0, 34, 600, (92, 52, 27))
    sheet.line([(35, 0), (35, 600)], (70, 38, 18), 2)
    # hills and a moon, printed in darker and lighter browns
    sheet.disc(150, 354, 34, (206, 158, 100))
    far = [(36, 446), (110, 392), (176, 452), (262, 372), (346, 446), (420, 408)]
    close = [(36, 500), (140, 442), (224, 508), (318, 450), (420, 512)]
    for ridge, fill in ((far, (98, 56, 28)), (close, (82, 45, 22))):
        sheet.area([(36, 540)] + ridge + [(420, 540)], fill)
    sheet.box(268, 48, 92, 298, cream, 3)
    sheet.box(275, 55, 78, 284, None, 1, (118, 70, 38), 2)
    sheet.column(314, 66, "山中杂记", 56, (60, 32, 16), 65, True, True)
    sheet.column(222, 60, "林远著", 26, cream, 36, False, True)
    sheet.text(84, 64, "散文", 20, cream, "lm", False, True, 6)
    sheet.line([(84, 82), (136, 82)], cream, 1.5)
    sheet.text(228, 568, "云溪文艺出版社", 20, cream, "mm", False, True, 4)
    return grain(sheet.done(), 12, 5)


def receipt():
    ink = (52, 54, 60)
    sheet = Sheet(420, 900, (134, 130, 128))
    sheet.shadow(28, 24, 372, 856, 0, 8, 120)
    sheet.box(22, 18, 376, 856, (249, 249, 247))
    for x in range(22, 390, 16):
        sheet.area([(x, 873), (x + 8, 884), (x + 16, 873)], (249, 249, 247))
    sheet.text(210, 62, "邻里便利店", 38, ink, "mm", True)
    sheet.text(210, 102, "云溪路 36 号  欢迎光临", 19, ink, "mm")
    sheet.dashes(44, 376, 128, ink)
    sheet.lines(44, 142, ("单号：20251125-0342", "时间：2025-11-25 18:26", "收银：03 号  小周"), 19, ink, 29)
    sheet.dashes(44, 376, 240, ink)
    for x, words, anchor in ((44, "品名", "lm"), (214, "数量", "mm"), (304, "单价", "rm"), (376, "金额", "rm")):
        sheet.text(x, 262, words, 20, ink, anchor, True)
    goods = (
        ("鲜牛奶 950ml", 1, 12.80),
        ("全麦吐司", 1, 9.90),
        ("茶叶蛋", 3, 2.00),
        ("苏打饼干", 2, 6.50),
        ("矿泉水", 4, 1.50),
        ("抽纸 三包", 1, 13.90),
        ("五号电池", 1, 15.00),
    )
    y = 300
    for name, number, price in goods:
        sheet.text(44, y, name, 20, ink, "lm")
        sheet.text(214, y, str(number), 20, ink, "mm")
        sheet.text(304, y, "%.2f" % price, 20, ink, "rm")
        sheet.text(376, y, "%.2f" % (number * price), 20, ink, "rm")
        y += 38
    total = sum(number * price for _, number, price in goods)
    sheet.dashes(44, 376, 560, ink)
    sheet.text(44, 592, "共 %d 件" % sum(number for _, number, _ in goods), 22, ink, "lm")
    sheet.text(376, 592, "优惠 -3.60", 22, ink, "rm")
    sheet.text(44, 642, "应付", 34, ink, "lm", True)
    sheet.text(376, 642, "¥ %.2f" % (total - 3.6), 38, ink, "rm", True)
    sheet.text(44, 688, "支付方式：扫码支付", 19, ink, "lm")
    sheet.dashes(44, 376, 716, ink)
    dice = random.Random(13)
    x = 66
    while x < 350:
        wide = dice.choice((1.5, 3, 4.5))
        sheet.box(x, 736, wide, 60, ink)
        x += wide + dice.choice((2, 3, 4.5))
    sheet.text(210, 814, "2 0 2 5 1 1 2 5 0 3 4 2", 17, ink, "mm")
    sheet.text(210, 848, "谢谢惠顾，七日内凭票退换", 19, ink, "mm")
    return sheet.done()
