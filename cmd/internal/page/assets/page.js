"use strict";

// Puts what has changed on the server in place of what is shown, once a second. What has
// the focus keeps it, and what was opened stays open.
(() => {
	const pause = 1000;
	const live = (root) => [...root.querySelectorAll("[data-live]")];
	const ids = (list) => list.map((e) => e.id).join(" ");

	const settle = (was, is) => {
		for (const open of was.querySelectorAll("details[open]")) {
			const same = is.querySelector("#" + CSS.escape(open.id));
			if (same) same.open = true;
		}
		for (const field of was.querySelectorAll("input:not([type=hidden])")) {
			const same = is.querySelector("#" + CSS.escape(field.id));
			if (same) same.value = field.value;
		}
	};

	const replace = (was, is) => {
		const focused = was.contains(document.activeElement) ? document.activeElement.id : "";
		settle(was, is);
		if (was.innerHTML === is.innerHTML) return;
		was.replaceWith(is);
		if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
	};

	const refresh = async () => {
		const reply = await fetch(location.pathname + location.search, { cache: "no-store", redirect: "error" });
		if (!reply.ok && reply.status !== 404) throw new Error(reply.status);
		const next = new DOMParser().parseFromString(await reply.text(), "text/html");
		const old = live(document), fresh = live(next);
		if (ids(old) === ids(fresh)) {
			old.forEach((was, i) => replace(was, document.importNode(fresh[i], true)));
			return;
		}
		const was = document.getElementById("main"), is = document.importNode(next.getElementById("main"), true);
		replace(was, is);
	};

	const tick = async () => {
		const stale = document.getElementById("stale");
		if (!document.hidden) {
			try {
				await refresh();
				if (stale) stale.hidden = true;
			} catch {
				if (stale) stale.hidden = false;
			}
		}
		setTimeout(tick, pause);
	};
	setTimeout(tick, pause);
})();
