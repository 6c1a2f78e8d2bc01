"use strict";
/*
 * Keeps the page as it is now: asks for status.json each second while somebody looks, and
 * fills the places that the server has filled before, with the same texts (status_units.c,
 * status_text.c, status_page*.c).  Texts go in as text only, never as markup.
 */
(() => {
	const EVERY_MS = 1000, PATIENCE_MS = 3000, RATE_MS = 10000;
	const MANY = 100, YOUNG_S = 10, LONGEST = 10;
	const STEPS = 60, STEP_S = 10, CHART = 100, LEAST = 4;

	const one = (selector, from = document) => from.querySelector(selector);
	const all = (selector, from = document) => [...from.querySelectorAll(selector)];

	/* ---- figures as people read them ---- */

	/* As a terminal would show it: a client may have sent anything. */
	const clean = text => text.replace(/[\x00-\x1f\x7f-\x9f]/g, c => {
		const hex = "\\x" + c.charCodeAt(0).toString(16).padStart(2, "0");
		return c < "\x80" ? hex : "\\xc2" + hex;
	});
	const count = n => n < 0 ? "-" : String(n).replace(/\B(?=(\d{3})+$)/g, ",");
	const plural = n => n === 1 ? "" : "s";
	const two = n => String(Math.floor(n)).padStart(2, "0");
	const twoDigits = (n, unit) => n < 10 * unit
		? Math.floor(n / unit) + "." + Math.floor(n % unit / (unit / 10))
		: String(Math.floor(n / unit));

	function span(ms) {
		const rows = [["d", "h", 86400000, 3600000], ["h", "m", 3600000, 60000],
			["m", "s", 60000, 1000]];
		for (const [unit, part, unitMs, partMs] of rows)
			if (ms >= unitMs)
				return Math.floor(ms / unitMs) + unit + two(ms % unitMs / partMs) + part;
		return (ms >= 10000 ? String(Math.floor(ms / 1000)) : twoDigits(Math.max(ms, 0), 1000)) + "s";
	}

	function bytes(n) {
		const names = ["kB", "MB", "GB", "TB", "PB"];
		let unit = 1000, i = 0;
		if (n < 1000)
			return Math.max(n, 0) + " B";
		for (; i + 1 < names.length && n / 1000 >= unit; i++)
			unit *= 1000;
		return twoDigits(n, unit) + " " + names[i];
	}

	function duration(us) {
		if (us <= 0)
			return "-";
		if (us < 1000000)
			return twoDigits(us, 1000) + " ms";
		return us < 60000000 ? twoDigits(us, 1000000) + " s" : span(us / 1000);
	}

	const tenths = n => n < 1000 ? Math.floor(n / 10) + "." + n % 10 : count(Math.floor(n / 10));
	const msOf = seconds => Math.round(seconds * 1000);

	/* ---- what stands where ---- */

	const states = new Map();
	for (const item of all("#legend li"))
		states.set(one("b", item).className,
			{ letter: one("b", item).textContent, meaning: item.textContent.slice(2) });
	const stateOf = worker => states.has(worker.state) ? worker.state : "unknown";

	const word = pool => pool.saturated_ms > 0 && pool.state === "running" ? "saturated" : pool.state;
	const inTrouble = pool => ["saturated", "backed off"].includes(word(pool));

	const refusals = { access: "refused_access", source: "refused_source", times: "refused_times",
		load: "refused_load", proxy: "refused_proxy", queue_wait: "shed" };
	const deaths = { exit: "died_exit", signal: "died_signal", oom: "died_oom", boot: "died_boot",
		unknown: "died_unknown" };

	function reasons(pool, keys) {
		const found = Object.entries(keys).map(([reason, key]) => [reason, pool[key]]);
		const told = found.filter(([, n]) => n !== 0).map(([reason, n]) => reason + " " + count(n));
		const sum = found.reduce((before, [, n]) => before + n, 0);
		return count(sum) + (told.length ? " (" + told.join(", ") + ")" : "");
	}

	function history(pool) {
		const [age, ...entries] = pool.history.split(";");
		const steps = entries.map(entry => entry.split(",").map(Number));
		for (let i = Math.min(Math.floor(age / STEP_S), STEPS); entries.length && i > 0; i--)
			steps.push([0, 0, 0]);
		return steps.slice(-STEPS);
	}

	function path(values) {
		const peak = Math.max(...values), left = STEPS - values.length;
		const top = value => {
			const height = peak > 0 ? Math.floor(value * CHART / peak) : 0;
			return CHART - (value > 0 ? Math.max(height, LEAST) : height);
		};
		return values.length === 0 ? "" : "M" + left + " " + CHART +
			values.map((value, i) => "V" + top(value) + "H" + (left + i + 1)).join("") +
			"V" + CHART + "Z";
	}

	const column = (steps, i) => steps.map(step => step[i]);
	/* A step is the average of ten seconds, but for the queue. */
	const peak = (steps, i, before, show, behind = "") => steps.length === 0 ? "no history yet"
		: before + show(Math.max(...column(steps, i))) + behind;
	const part = (n, of) => of > 0 && n > 0 ? Math.min(Math.floor(n * 100 / of), 100) : 0;

	function census(pool) {
		const counts = new Map([...states.keys()].map(name => [name, 0]));
		for (const worker of pool.workers)
			counts.set(stateOf(worker), counts.get(stateOf(worker)) + 1);
		return [...counts].filter(([, n]) => n > 0).map(([name, n]) => n + " " + name).join(", ") ||
			"none";
	}

	function describe(worker) {
		return clean("worker " + worker.pid + ": " + states.get(stateOf(worker)).meaning + " for " +
			span(worker.state_since_ms) + ", " + count(worker.requests) + " request" +
			plural(worker.requests) + (worker.program > 0 ? ", program " + worker.program : "") +
			[worker.client, worker.request].filter(text => text).map(text => ", " + text).join(""));
	}

	/* By name, as in pool.html; a place that is not here is a field of the same name. */
	const places = {
		word,
		where: pool => pool.listen ? "on " + pool.listen : "not listening",
		census,
		refused: pool => reasons(pool, refusals),
		died: pool => reasons(pool, deaths),
		rate: (pool, view) => view.rate,
		kept_words: pool => pool.kept > 0 ? ", " + pool.kept + " kept alive" : "",
		busy_part: pool => part(pool.busy, pool.max_workers),
		queue_part: pool => part(pool.queue_length, pool.queue_limit),
		busy_path: (pool, view) => path(column(view.steps, 0)),
		queue_path: (pool, view) => path(column(view.steps, 1)),
		rate_path: (pool, view) => path(column(view.steps, 2)),
		busy_peak: (pool, view) => peak(view.steps, 0, "busiest 10 s: ", count, " with a request"),
		queue_peak: (pool, view) => peak(view.steps, 1, "at most ", count, " in 10 min"),
		rate_peak: (pool, view) => peak(view.steps, 2, "busiest 10 s: ", tenths),
		up: doc => span(msOf(doc.uptime_s)),
		pid: doc => String(doc.pid),
		reload: ({ last_reload: last }) => last.ago_s === null || !last.state ? "none"
			: last.state === "under way" ? "under way for " + span(msOf(last.ago_s))
			: last.state + " " + span(msOf(last.ago_s)) + " ago" +
			(last.state !== "refused" && last.text ? ": " + last.text : ""),
		refusal: ({ last_reload: last }) => last.state !== "refused" ? ""
			: "The last " + (last.what || "reload") + " was refused: " + last.text,
	};

	function textOf(name, of, view) {
		if (name in places)
			return String(places[name](of, view));
		if (name.startsWith("bytes_"))
			return bytes(of[name]);
		if (name.endsWith("_s"))
			return duration(Math.round(of[name] * 1000000));
		return typeof of[name] === "number" ? count(of[name]) : of[name];
	}

	/* ---- putting it there; what is the same is not touched ---- */

	function setText(node, text) {
		text = clean(text);
		if (node.textContent !== text)
			node.textContent = text;
	}

	function setAttribute(node, name, text) {
		if (node.getAttribute(name) !== text)
			node.setAttribute(name, text);
	}

	/* So many children, made when they are missing. */
	function children(parent, n, make) {
		while (parent.children.length > n)
			parent.lastElementChild.remove();
		while (parent.children.length < n)
			parent.append(make(parent.children.length));
		return [...parent.children];
	}

	function element(name, className = "", text = "") {
		const node = document.createElement(name);
		if (className)
			node.className = className;
		node.textContent = clean(text);
		return node;
	}

	/* Rows of texts; the columns' classes are those of the titles. */
	function setRows(body, rows) {
		const columns = all("th", body.parentElement).map(title => title.className);
		if (rows.length === 0) {
			const none = element("td", "none", body.dataset.none);
			none.colSpan = columns.length;
			body.replaceChildren(element("tr"));
			body.firstChild.append(none);
			return;
		}
		if (one(".none", body))
			body.replaceChildren();
		children(body, rows.length, () => {
			const row = element("tr");
			row.append(...columns.map(className => element("td", className)));
			return row;
		}).forEach((row, i) => rows[i].forEach((text, k) => setText(row.children[k], text)));
	}

	function fill(root, of, view) {
		for (const node of all("[data-f]", root))
			setText(node, textOf(node.dataset.f, of, view));
		for (const node of all("[data-width]", root))
			setAttribute(node, "width", textOf(node.dataset.width, of, view));
		for (const node of all("[data-path]", root))
			setAttribute(node, "d", textOf(node.dataset.path, of, view));
	}

	/* ---- a pool ---- */

	const views = []; /* in the order of the pools */

	function moved(view, key) {
		const n = view.grid.children.length;
		const below = view.cells().findIndex(cell => cell.offsetTop > view.grid.firstChild.offsetTop);
		const line = below < 0 ? n : below;
		switch (key) {
		case "ArrowRight": return view.selected + 1;
		case "ArrowLeft": return view.selected - 1;
		case "ArrowDown": return view.selected + line < n ? view.selected + line : view.selected;
		case "ArrowUp": return view.selected - line >= 0 ? view.selected - line : view.selected;
		case "Home": return 0;
		case "End": return n - 1;
		}
		return null;
	}

	/* The worker that is pointed at, or else the selected one, in words below its cell. */
	function tell(view) {
		const cells = view.cells(), selected = cells[view.selected];
		const i = view.pointed >= 0 ? view.pointed : view.selected, cell = cells[i];
		cells.forEach(each => setAttribute(each, "aria-selected", String(each === selected)));
		if (selected) {
			selected.setAttribute("aria-label", view.words(view.selected));
			view.grid.setAttribute("aria-activedescendant", selected.id);
		} else {
			view.grid.removeAttribute("aria-activedescendant");
		}
		setText(view.which, cell ? view.words(i) : "");
		if (cell) {
			const room = view.grid.clientWidth - view.which.offsetWidth;
			view.which.style.top = cell.offsetTop + cell.offsetHeight + 6 + "px";
			view.which.style.left = Math.max(0, Math.min(cell.offsetLeft, room)) + "px";
		}
	}

	function select(view, i) {
		view.selected = Math.max(-1, Math.min(i, view.grid.children.length - 1));
		tell(view);
	}

	function listen(view) {
		const indexOf = event => view.cells().indexOf(event.target.closest("li"));
		view.grid.addEventListener("keydown", event => {
			const to = moved(view, event.key);
			if (to === null || event.ctrlKey || event.altKey || event.metaKey)
				return;
			event.preventDefault();
			select(view, Math.max(to, 0));
		});
		view.grid.addEventListener("focus", () => {
			if (view.selected < 0 && view.grid.matches(":focus-visible"))
				select(view, 0);
		});
		view.grid.addEventListener("click", event => {
			const i = indexOf(event);
			if (i >= 0)
				select(view, i === view.selected ? -1 : i);
		});
		view.grid.addEventListener("pointerover", event => {
			view.pointed = event.pointerType === "mouse" ? indexOf(event) : -1;
			tell(view);
		});
		view.grid.addEventListener("pointerleave", () => {
			view.pointed = -1;
			tell(view);
		});
		view.each.addEventListener("toggle", () => setEach(view));
	}

	function makeView(section) {
		const view = { section, samples: [], selected: -1, pointed: -1, pool: { workers: [] } };
		view.grid = one(".grid", section);
		view.which = one(".which", section);
		view.each = one("details", section);
		view.cells = () => [...view.grid.children];
		view.words = i => i < view.pool.workers.length ? describe(view.pool.workers[i])
			: "backed off";
		view.grid.tabIndex = 0;
		view.grid.setAttribute("role", "listbox");
		view.which.hidden = false;
		listen(view);
		return view;
	}

	function setEach(view) {
		if (view.each.open)
			setRows(one("tbody", view.each), view.pool.workers.map(w => [String(w.pid),
				w.state || "-", span(w.state_since_ms), span(msOf(w.age_s)), count(w.requests),
				bytes(w.bytes_in), bytes(w.bytes_out), w.client || "-", w.request || "-"]));
	}

	function setGrid(view) {
		const { workers, state } = view.pool, off = state === "backed off" ? 1 : 0;
		const cells = children(view.grid, workers.length + off, () => element("li"));
		cells.forEach((cell, i) => {
			const worker = workers[i], name = worker ? stateOf(worker) : "off";
			const young = worker && worker.age_s < YOUNG_S ? " young" : "";
			cell.id = view.section.id + "-" + i;
			setAttribute(cell, "class", name + young);
			setAttribute(cell, "role", "option");
			setAttribute(cell, "aria-label", worker ? states.get(name).meaning : "backed off");
			setText(cell, states.get(name).letter);
			cell.removeAttribute("title");
		});
	}

	/* Of the last ten seconds as we saw them, or, before that, as the daemon did. */
	function setRate(view, now) {
		view.samples = view.samples.filter(sample => now - sample.at <= RATE_MS);
		view.samples.push({ at: now, requests: view.pool.requests });
		const first = view.samples[0], last = view.steps[view.steps.length - 1];
		if (now - first.at >= EVERY_MS)
			view.rate = tenths(Math.round(10000 * (view.pool.requests - first.requests) /
				(now - first.at)));
		else
			view.rate = last ? tenths(last[2]) : "-";
	}

	function setPool(view, pool, number) {
		const { section } = view;
		if (view.pool.name !== pool.name)
			Object.assign(view, { samples: [], selected: -1 });
		view.pool = { ...pool, died_unknown: Math.max(0, pool.crashes - pool.died_exit -
			pool.died_signal - pool.died_oom - pool.died_boot) };
		view.steps = history(pool);
		setRate(view, performance.now());
		section.id = "pool-" + number;
		one("h2", section).id = "name-" + number;
		section.setAttribute("aria-labelledby", "name-" + number);
		section.classList.toggle("many", pool.workers.length > MANY);
		setAttribute(section, "data-word", word(pool));
		fill(section, view.pool, view);
		children(one(".notes", section), pool.notes.length, () => element("li"))
			.forEach((item, i) => setText(item, pool.notes[i]));
		setGrid(view);
		tell(view);
		setEach(view);
	}

	function setPools(pools) {
		const made = () => one("#pool").content.firstElementChild.cloneNode(true);
		children(one("#pools"), pools.length, made).forEach((section, i) => {
			if (!views[i] || views[i].section !== section)
				views[i] = makeView(section);
			setPool(views[i], pools[i], i + 1);
		});
		views.length = pools.length;
	}

	/* ---- the document ---- */

	function setVerdict(pools) {
		const troubled = pools.filter(inTrouble), of = pools.length + " pool" + plural(pools.length);
		const parts = [];
		if (troubled.length === 0)
			parts.push(element("span", "good", of + ", all in order"));
		else
			parts.push(element("span", "bad", troubled.length + " of " + of + " in trouble"));
		troubled.forEach((pool, i) => {
			const link = element("a", "", pool.name);
			link.href = "#pool-" + (pools.indexOf(pool) + 1);
			parts.push(i ? ", " : ": ", link, " " + word(pool));
		});
		const made = element("p");
		made.append(...parts);
		if (made.innerHTML !== one("#verdict").innerHTML)
			one("#verdict").replaceChildren(...parts);
		return troubled.length;
	}

	function setRequests(pools) {
		const running = pools.flatMap(pool => pool.workers
			.filter(w => ["busy", "reading", "writing"].includes(w.state))
			.map(w => ({ pool: pool.name, ...w })));
		running.sort((a, b) => b.state_since_ms - a.state_since_ms);
		setRows(one("#requests tbody"), running.slice(0, LONGEST).map(w => [span(w.state_since_ms),
			w.pool, String(w.pid), w.state, w.client || "-", w.request || "-"]));
	}

	function setEvents(events) {
		const sorted = [...events].sort((a, b) => a.ago_s - b.ago_s);
		setRows(one("#events tbody"), sorted.map(event => [span(msOf(event.ago_s)),
			event.pool || "-", event.kind, event.text]));
	}

	function show(doc) {
		fill(one("header"), doc);
		const n = setVerdict(doc.pools);
		setPools(doc.pools);
		setRequests(doc.pools);
		setEvents(doc.events);
		document.title = (n > 0 ? n + " in trouble: " : "") + "preforkd " + clean(doc.version);
	}

	/* ---- asking ---- */

	const when = one("#when"), lost = one("#lost"), pause = one("#pause");
	let timer = 0, asking = null, paused = false, heard = new Date();

	const clock = date => [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");

	function sayLost(why) {
		document.documentElement.classList.add("stale");
		document.title = "no answer: preforkd";
		when.textContent = "no answer";
		lost.textContent = "No answer from the daemon for " + span(Date.now() - heard) + " (" + why +
			"). What stands below is from " + clock(heard) + ".";
		lost.hidden = false;
	}

	function sayLive() {
		heard = new Date();
		document.documentElement.classList.remove("stale");
		lost.hidden = true;
		when.textContent = "live, " + clock(heard);
	}

	async function fetched(signal) {
		const answer = await fetch("status.json", { cache: "no-store", signal });
		if (!answer.ok)
			throw new Error("it says " + answer.status);
		return answer.json();
	}

	async function ask() {
		const mine = asking = new AbortController();
		const limit = setTimeout(() => mine.abort(), PATIENCE_MS);
		try {
			const doc = await fetched(mine.signal);
			if (mine === asking) {
				show(doc);
				sayLive();
			}
		} catch (error) {
			if (mine === asking)
				sayLost(mine.signal.aborted ? "time is up"
					: error instanceof TypeError ? "no connection" : error.message);
		}
		clearTimeout(limit);
		if (mine === asking)
			timer = setTimeout(ask, EVERY_MS);
	}

	/* Asks on, or stops, as things are now. */
	function turn() {
		clearTimeout(timer);
		if (asking)
			asking.abort();
		asking = null;
		if (!paused && !document.hidden)
			ask();
	}

	pause.hidden = false;
	pause.addEventListener("click", () => {
		paused = !paused;
		pause.textContent = paused ? "Go on" : "Pause";
		when.textContent = (paused ? "paused, " : "live, ") + clock(heard);
		turn();
	});
	document.addEventListener("visibilitychange", turn);
	document.addEventListener("keydown", event => {
		if (event.key === "Escape")
			for (const view of views) {
				view.pointed = -1;
				select(view, -1);
			}
	});
	turn();
})();
