#!/usr/bin/python3
"""Judges a page of llava_page as a person does, in headless Chromium, by keys alone.

judge_page.py PAGE FOLDER [SHOTS]

Every third sample is bad and the others good, every tenth has a note; the page is closed
and opened again on the way.  keep.jsonl comes into FOLDER.  Fails where the page asks for
anything from outside, breaks its own policy, does not fit 390 px, does not ask before
judgements are lost, or says nothing when the browser does not store them.  With SHOTS, a
folder, it also leaves pictures of the page there.
"""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

NOTE = '招牌上的字认错了 <b>"{}"</b>'
KEYS = {'j': ('KeyJ', 74), 'k': ('KeyK', 75), 'n': ('KeyN', 78), 'u': ('KeyU', 85), '1': ('Digit1', 49), '0': ('Digit0', 48),
        'Enter': ('Enter', 13), 'Tab': ('Tab', 9), 'Escape': ('Escape', 27), 'ArrowDown': ('ArrowDown', 40),
        'ArrowUp': ('ArrowUp', 38), 'ArrowRight': ('ArrowRight', 39), 'ArrowLeft': ('ArrowLeft', 37)}


class Browser:
    """Chromium behind a pair of pipes, which needs no port and no library."""

    def __init__(self, profile):
        program = next((path for path in map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome')) if path), None)
        if program is None:
            sys.exit('no Chromium here: apt-get install chromium fonts-noto-cjk')
        to_read, self.to = os.pipe()
        self.answers, from_write = os.pipe()
        # the numbers that Chromium expects, kept out of the way of its other ends
        high = [os.dup2(fd, 50 + i, inheritable=True) for i, fd in enumerate((to_read, from_write))]

        def place():
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)
        options = ['--headless=new', '--disable-gpu', '--no-first-run', '--disable-dev-shm-usage', '--remote-debugging-pipe',
                   '--user-data-dir=' + profile, '--lang=zh-CN'] + (['--no-sandbox'] if os.getuid() == 0 else [])
        self.process = subprocess.Popen([program, *options, 'about:blank'], pass_fds=(3, 4), preexec_fn=place, close_fds=True,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for fd in (to_read, from_write, *high):
            os.close(fd)
        self.buffer = b''
        self.number = 0
        self.session = None
        self.events = []
        self.seen = []

    def read(self):
        while b'\0' not in self.buffer:
            more = os.read(self.answers, 1 << 20)
            assert more, 'Chromium ended'
            self.buffer += more
        message, self.buffer = self.buffer.split(b'\0', 1)
        message = json.loads(message)
        if message.get('method') in ('Network.requestWillBeSent', 'Log.entryAdded', 'Runtime.exceptionThrown'):
            self.seen.append(message)
        return message

    def send(self, method, **params):
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': params}
        if self.session:
            message['sessionId'] = self.session
        os.write(self.to, json.dumps(message).encode() + b'\0')
        return self.number

    def call(self, method, **params):
        """The answer; events that come before it are kept."""
        number = self.send(method, **params)
        while True:
            message = self.read()
            if message.get('id') == number:
                assert 'error' not in message, (method, message['error'])
                return message['result']
            self.events.append(message)

    def wait(self, method):
        """The next event of this kind."""
        while True:
            for i, event in enumerate(self.events):
                if event.get('method') == method:
                    return self.events.pop(i)['params']
            self.events.append(self.read())

    def attach(self):
        self.session = None
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Network', 'Log'):
            self.call(domain + '.enable')
        return target

    def open(self, url):
        self.events = [event for event in self.events if event.get('method') != 'Page.loadEventFired']
        self.call('Page.navigate', url=url)
        self.wait('Page.loadEventFired')

    def value(self, expression):
        result = self.call('Runtime.evaluate', expression=expression, returnByValue=True)
        assert 'exceptionDetails' not in result, result
        return result['result'].get('value')

    def key(self, key):
        code, number = KEYS[key]
        text = '\r' if key == 'Enter' else key if len(key) == 1 else ''
        common = {'key': key, 'code': code, 'windowsVirtualKeyCode': number}
        self.call('Input.dispatchKeyEvent', type='keyDown', text=text, **common)
        self.call('Input.dispatchKeyEvent', type='keyUp', **common)

    def screen(self, width, height):
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=width < 500)

    def shoot(self, name):
        if len(sys.argv) > 3:
            data = self.call('Page.captureScreenshot', format='png')['data']
            pathlib.Path(sys.argv[3], name + '.png').write_bytes(base64.b64decode(data))

    def end(self):
        self.session = None
        self.send('Browser.close')
        self.process.wait(30)


def counts(browser):
    return browser.value("Object.fromEntries(Array.from(document.querySelectorAll('[data-count]'), e => [e.dataset.count, +e.textContent]))")


def judge(browser, n):
    """Sample n, which is the current one."""
    browser.key('0' if n % 3 == 0 else '1')
    if n % 10 == 0:
        browser.key('n')
        browser.call('Input.insertText', text=NOTE.format(n))
        browser.key('Enter')


def leave(browser, url, asks):
    """Leaves the page for another; whether the browser asks before that."""
    browser.events = []
    number = browser.send('Page.navigate', url=url)
    asked = False
    while True:
        message = browser.read()
        if message.get('method') == 'Page.javascriptDialogOpening':
            assert message['params']['type'] == 'beforeunload', message
            asked = True
            browser.send('Page.handleJavaScriptDialog', accept=True)
        elif message.get('method') == 'Page.loadEventFired':
            break
        else:
            assert message.get('id') != number or 'error' not in message, message
    assert asked == asks, 'the page ' + ('asked' if asked else 'did not ask') + ' before it was left'


def check_outside(browser):
    """Nothing came from outside, and the policy was not broken."""
    for event in browser.seen:
        params = event['params']
        if event['method'] == 'Network.requestWillBeSent':
            assert params['request']['url'].split(':')[0] in ('file', 'data', 'blob', 'about'), params['request']['url']
        elif event['method'] == 'Log.entryAdded':
            assert params['entry']['level'] != 'error', params['entry']
        else:
            raise AssertionError(params)


def check_policy(browser):
    """What a sample could bring along does not run and does not lead away."""
    browser.value("""(() => {
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.querySelector('main').append(script);
        const image = document.createElement('img');
        image.setAttribute('onerror', 'window.ran = true');
        image.src = 'x.png';
        document.querySelector('main').append(image);
        const base = document.createElement('base');
        base.href = 'https://example.invalid/';
        document.head.append(base);
    })()""")
    time.sleep(0.2)
    assert browser.value('window.ran') is None, 'a script of a sample ran'
    assert browser.value('document.baseURI').startswith('file:'), 'a base of a sample counts'


def check_storage(browser, page, blank):
    """Before the first key the page says that nothing is stored."""
    assert browser.value("document.getElementById('warning').hidden"), 'a warning without need'
    # pages opened from files share one storage: another one fills it
    leave(browser, blank, asks=False)
    browser.value("""(() => { localStorage.clear(); let text = 'x'.repeat(1 << 20);
        for (let i = 0; text.length > 0; i++)
            try { localStorage.setItem('other' + i, text); } catch (e) { text = text.slice(0, text.length >> 1); } })()""")
    browser.open(page)
    assert '浏览器的存储已满' in browser.value("document.getElementById('warning').innerText"), 'full'
    browser.key('1')
    assert counts(browser)['good'] == 0, 'what is out of view is not judged'
    browser.key('1')
    assert counts(browser)['good'] == 1, 'judgements are counted where nothing is stored'
    browser.shoot('full')
    leave(browser, blank, asks=True)
    browser.value('localStorage.clear()')
    script = browser.call('Page.addScriptToEvaluateOnNewDocument', source="""Object.defineProperty(window, 'localStorage',
        {get() { throw new DOMException('no', 'SecurityError'); }})""")['identifier']
    browser.open(page)
    assert '浏览器不让存储' in browser.value("document.getElementById('warning').innerText"), 'refused'
    browser.call('Page.removeScriptToEvaluateOnNewDocument', identifier=script)


def check_keys(browser):
    """Ways to go, undo, and a note that is not taken."""
    def at():
        return counts(browser)['at']
    browser.key('j')
    assert at() == 1, 'the first key brings the first sample into view'
    for key, to in (('j', 2), ('ArrowDown', 3), ('ArrowRight', 4), ('k', 3), ('ArrowUp', 2), ('ArrowLeft', 1), ('k', 1)):
        browser.key(key)
        assert at() == to, (key, at())
    browser.key('0')
    browser.key('1')
    browser.key('j')
    browser.key('u')
    assert (at(), counts(browser)['bad'], counts(browser)['good']) == (1, 1, 0), 'U takes the last one back'
    browser.key('u')
    assert counts(browser)['bad'] == 0, 'and the one before'
    browser.key('n')
    browser.call('Input.insertText', text='j1')
    browser.key('Escape')
    assert (at(), counts(browser)['unsaved']) == (1, 0), 'Esc leaves a note'


def write(browser, folder):
    """By Tab to the button, and Enter."""
    browser.call('Browser.setDownloadBehavior', behavior='allow', downloadPath=folder)
    for _ in range(20):
        browser.key('Tab')
        if browser.value("document.activeElement.dataset.act") == 'write':
            break
    browser.key('Enter')
    file = pathlib.Path(folder, 'keep.jsonl')
    for _ in range(100):
        if file.exists() and file.stat().st_size > 0:
            return
        time.sleep(0.1)
    sys.exit('no keep.jsonl came')


def main():
    page = pathlib.Path(sys.argv[1]).resolve().as_uri()
    folder = str(pathlib.Path(sys.argv[2]).resolve())
    with tempfile.TemporaryDirectory() as work:
        blank = pathlib.Path(work, 'blank.html')
        blank.write_text('<!doctype html><title>blank</title>')
        browser = Browser(os.path.join(work, 'profile'))
        try:
            browser.attach()
            for width, height in ((1280, 900), (390, 844)):
                browser.screen(width, height)
                browser.open(page)
                wide = browser.value('document.documentElement.scrollWidth')
                assert wide <= width, f'{wide} px wide where there are {width}'
                browser.shoot(f'begin-{width}')
            total = browser.value("document.querySelectorAll('article').length")
            check_storage(browser, page, blank.as_uri())
            browser.open(page)
            check_keys(browser)
            for n in range(total):
                judge(browser, n)
                browser.key('j')
                if n == total // 2:
                    leave(browser, page, asks=True)
                    assert counts(browser)['at'] == n + 2, 'the page goes on where it was left'
            done = counts(browser)
            assert done['left'] == 0 and done['unsaved'] == total, done
            for width, height in ((390, 844), (1280, 900)):
                browser.screen(width, height)
                browser.key('k')
                browser.shoot(f'done-{width}')
                browser.key('n')
                browser.shoot(f'note-{width}')
                browser.key('Escape')
            write(browser, folder)
            assert counts(browser)['unsaved'] == 0, 'written'
            check_outside(browser)
            check_policy(browser)
            leave(browser, blank.as_uri(), asks=False)
        finally:
            browser.end()
    print(json.dumps(done))


main()
