"use strict";

// Puts what has changed on the server in place of what is shown, once a second. What has
// the focus keeps it, and what was opened stays open. The token for actions is kept by the
// browser for this tab and this origin, and goes along as a header: a cookie would go to
// other ports of the same host as well.
(() => {
	const pause = 1000, slot = "token";
	const byId = (id) => document.getElementById(id);
	const live = (root) => [...root.querySelectorAll("[data-live]")];
	const ids = (list) => list.map((e) => e.id).join(" ");

	const headers = () => {
		const token = sessionStorage.getItem(slot);
		return token ? { Authorization: "Bearer " + token } : {};
	};

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
		if (focused) byId(focused)?.focus({ preventScroll: true });
	};

	const refresh = async () => {
		const reply = await fetch(location.pathname + location.search, { cache: "no-store", redirect: "error", headers: headers() });
		if (!reply.ok && reply.status !== 404) throw new Error(reply.status);
		const next = new DOMParser().parseFromString(await reply.text(), "text/html");
		const old = live(document), fresh = live(next);
		if (ids(old) === ids(fresh)) {
			old.forEach((was, i) => replace(was, document.importNode(fresh[i], true)));
			return;
		}
		replace(byId("main"), document.importNode(next.getElementById("main"), true));
	};

	const tell = (text) => {
		const wrong = byId("wrong");
		if (!wrong) return;
		wrong.textContent = text;
		wrong.hidden = !text;
	};

	const login = async () => {
		sessionStorage.setItem(slot, byId("token").value.trim());
		byId("token").value = "";
		await refresh();
		const known = byId("logout") !== null;
		if (!known) sessionStorage.removeItem(slot);
		tell(known ? "" : "That is not the token.");
	};

	const act = async (form, button) => {
		const fields = new URLSearchParams(new FormData(form));
		fields.set("action", button.value);
		const reply = await fetch("/act", { method: "POST", body: fields, headers: headers() });
		tell(reply.ok ? "" : await reply.text());
		await refresh();
	};

	document.addEventListener("submit", (event) => {
		event.preventDefault();
		const done = event.target.id === "login" ? login() : act(event.target, event.submitter);
		done.catch((fault) => tell(String(fault)));
	});
	document.addEventListener("click", (event) => {
		if (event.target.id !== "logout") return;
		sessionStorage.removeItem(slot);
		refresh().catch((fault) => tell(String(fault)));
	});

	const tick = async () => {
		const stale = byId("stale");
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
	setTimeout(tick, sessionStorage.getItem(slot) ? 0 : pause);
})();
