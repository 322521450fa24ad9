/*
 * The page as a place to work: judgements by keys, kept in the browser until they are written
 * to keep.jsonl.  One constant text, whose hash the page's policy names: samples are attributes
 * and text of elements, and what is written to the page here is written as text.
 */
(function () {
'use strict';

const work = document.getElementById('work');
const pad = document.getElementById('pad');
const note = document.getElementById('note');
const warning = document.getElementById('warning');
const samples = Array.from(document.querySelectorAll('article.sample'));
const space = work.dataset.page + '/';	// pages opened from files share one storage
const judged = new Map();	// number of a sample: {keep, note, written}
const undo = [];			// [number, what it was]
let at = -1;				// number of the current sample
let scrolls = false;		// whether the last move was a scroll of the person's

/* ---- the browser's storage ---- */

function keyOf(n) {
	return space + samples[n].dataset.image + '/' + samples[n].dataset.task;
}

function warn(what) {
	if (what)
		warning.textContent = what + '：判断只在这一页里，关掉就没有了。离开之前请导出 keep.jsonl。';
	warning.hidden = !what;
}

/* Whether it took the text; null removes the key. */
function store(key, text) {
	try {
		if (text === null)
			localStorage.removeItem(key);
		else
			localStorage.setItem(key, text);
		return true;
	} catch (error) {
		warn(error.name === 'QuotaExceededError' || error.code === 22 ? '浏览器的存储已满' : '浏览器禁止本地存储');
		return false;
	}
}

/* Before the first key: whether it takes a judgement with a note for each sample. */
function tryStorage() {
	if (store(space + '?', '判'.repeat(100 * samples.length + 1000)))
		store(space + '?', null);
}

function load(n) {
	let kept = null;

	judged.delete(n);
	try {
		kept = JSON.parse(localStorage.getItem(keyOf(n)));
	} catch (error) {
		return;					// refused, which the message says, or no judgement
	}
	if (Array.isArray(kept))
		judged.set(n, {keep: kept[0], note: kept[1], written: kept[2] === true});
}

function save(n) {
	const one = judged.get(n);

	store(keyOf(n), one === undefined ? null : JSON.stringify([one.keep, one.note, one.written]));
}

/* ---- what is shown ---- */

function stated(n) {
	const shown = samples[n].dataset;

	return judged.get(n) ||
		{keep: shown.keep === '' ? null : shown.keep === 'true', note: shown.note || null, written: false};
}

function show(n) {
	const one = judged.get(n);
	const sample = samples[n];

	sample.classList.toggle('good', one !== undefined && one.keep === true);
	sample.classList.toggle('bad', one !== undefined && one.keep === false);
	sample.querySelector('.verdict').textContent = one === undefined ? '' :
		one.keep === null ? '只有备注' : one.keep ? '保留' : '弃用';
	sample.querySelector('.words').textContent = one === undefined || one.note === null ? '' : one.note;
}

function showCounts() {
	const all = Array.from(judged.values());
	const counts = {
		at: at + 1, good: all.filter((one) => one.keep === true).length,
		bad: all.filter((one) => one.keep === false).length,
		left: samples.length - all.length, unsaved: all.filter((one) => !one.written).length
	};

	for (const name of Object.keys(counts))
		work.querySelector('[data-count=' + name + ']').textContent = counts[name];
	work.querySelector('[data-act=write]').disabled = all.length === 0;
	work.querySelector('[data-act=undo]').disabled = undo.length === 0;
}

/* Makes sample n the current one. */
function choose(n) {
	if (at >= 0)
		samples[at].classList.remove('current');
	at = n;
	samples[at].classList.add('current');
	showCounts();
}

function go(n) {
	if (n < 0 || n >= samples.length)
		return;
	scrolls = false;
	choose(n);
	samples[n].focus({preventScroll: true});
	samples[n].scrollIntoView({block: 'start'});
}

/*
 * Whether the current sample is before the person's eyes; else it comes there, and nothing more
 * is done: nobody judges what they do not see.
 */
function inView() {
	const box = samples[at].getBoundingClientRect();
	const before = scrollY;

	if (box.top < innerHeight * 0.6 && box.bottom > 0)
		return true;
	go(at);
	return scrollY === before;	// the page's end comes no higher
}

/* ---- judgements ---- */

function set(n, one, remember) {
	if (remember)
		undo.push([n, judged.get(n)]);
	if (one === undefined)
		judged.delete(n);
	else
		judged.set(n, one);
	save(n);
	show(n);
	showCounts();
}

function judge(keep) {
	if (inView())
		set(at, {keep: keep, note: stated(at).note, written: false}, true);
}

function openPad() {
	if (!inView())
		return;
	note.value = stated(at).note || '';
	pad.hidden = false;
	note.focus();
}

function closePad(take) {
	const text = note.value.trim();

	if (pad.hidden)
		return;
	pad.hidden = true;
	if (take && text !== (stated(at).note || ''))
		set(at, {keep: stated(at).keep, note: text === '' ? null : text, written: false}, true);
	samples[at].focus({preventScroll: true});
}

function takeBack() {
	const last = undo.pop();

	if (last === undefined)
		return;
	/* a file that was written meanwhile says otherwise */
	set(last[0], last[1] === undefined ? undefined : Object.assign({}, last[1], {written: false}), false);
	go(last[0]);
}

/* image and reply may be larger than a number holds: they stay the digits that they are. */
function line(n) {
	const d = samples[n].dataset;
	const one = judged.get(n);

	return '{"image": ' + d.image + ', "task": ' + JSON.stringify(d.task) + ', "reply": ' + d.reply +
		', "words": ' + JSON.stringify(d.words) + ', "judged": ' + JSON.stringify(d.judged) +
		', "keep": ' + one.keep + ', "note": ' + JSON.stringify(one.note) + '}\n';
}

function write() {
	const numbers = Array.from(judged.keys()).sort((a, b) => a - b);
	const link = document.createElement('a');

	link.href = URL.createObjectURL(new Blob(numbers.map(line), {type: 'application/x-ndjson'}));
	link.download = 'keep.jsonl';
	document.body.append(link);
	link.click();
	link.remove();
	setTimeout(() => URL.revokeObjectURL(link.href), 60000);
	for (const n of numbers) {
		judged.get(n).written = true;
		save(n);
	}
	showCounts();
}

/* ---- keys, buttons, fingers ---- */

const acts = {
	next: () => inView() && go(at + 1), previous: () => inView() && go(at - 1), good: () => judge(true), bad: () => judge(false),
	note: openPad, undo: takeBack, write: write, take: () => closePad(true), leave: () => closePad(false)
};
const keys = {
	j: 'next', arrowdown: 'next', arrowright: 'next', k: 'previous', arrowup: 'previous', arrowleft: 'previous',
	1: 'good', 0: 'bad', n: 'note', u: 'undo'
};

function keyInPad(event) {
	if (event.isComposing || event.keyCode === 229)
		return;					// Enter and Esc are the input method's
	if (event.key === 'Escape' || (event.key === 'Enter' && !event.shiftKey && event.target === note)) {
		event.preventDefault();
		closePad(event.key === 'Enter');
	}
}

document.addEventListener('keydown', (event) => {
	const act = keys[event.key.toLowerCase()];

	if (!pad.hidden)
		keyInPad(event);
	else if (act !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
		event.preventDefault();
		acts[act]();
	} else
		scrolls = true;			// as Page Down and the space bar do
});

work.addEventListener('click', (event) => {
	const button = event.target.closest('[data-act]');

	/* a note that is being written belongs to the sample where it was begun */
	if (button !== null && (pad.hidden || pad.contains(button)))
		acts[button.dataset.act]();
});

document.querySelector('main').addEventListener('click', (event) => {
	const sample = event.target.closest('article.sample');

	if (sample !== null && pad.hidden)
		choose(samples.indexOf(sample));
});

/* Who scrolls judges what is in front of them. */
for (const name of ['wheel', 'touchmove', 'mousedown'])
	addEventListener(name, () => { scrolls = true; }, {passive: true});
addEventListener('scroll', () => {
	const middle = innerHeight * 0.35;
	const n = samples.findIndex((sample) => sample.getBoundingClientRect().bottom > middle);

	if (scrolls && pad.hidden && n >= 0 && n !== at)
		choose(n);
}, {passive: true});

/* The same page in another tab. */
addEventListener('storage', (event) => {
	const n = samples.findIndex((sample, i) => keyOf(i) === event.key);

	if (n >= 0) {
		load(n);
		show(n);
		showCounts();
	}
});

addEventListener('beforeunload', (event) => {
	if (Array.from(judged.values()).some((one) => !one.written)) {
		event.preventDefault();
		event.returnValue = '';
	}
});

if (samples.length > 0) {
	tryStorage();
	samples.forEach((sample, n) => { load(n); show(n); });
	document.documentElement.classList.add('works');
	work.hidden = false;
	/* the first that waits, else the first */
	choose(Math.max(0, samples.findIndex((sample, n) => !judged.has(n))));
	if (judged.size > 0)
		go(at);
}
})();
