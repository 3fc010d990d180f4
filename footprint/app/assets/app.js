// What the page does by itself: the address, the notes under inputs, sliders, copying. All text goes in as text.
(function () {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const text = (id, told) => { const node = byId(id); if (node) { node.textContent = told; } };
  const QUIET_MS = 1000;
  let last = { at: -QUIET_MS, what: "" };
  let touched = "";
  const told = { a: null, b: null };

  // the address

  function here() {
    const pairs = Array.from(new URLSearchParams(location.search).entries());
    return { path: location.pathname, pairs: pairs, at: performance.now() };
  }

  function query(pairs) {
    const said = new URLSearchParams(pairs).toString();
    return said ? "?" + said : "";
  }

  function go(url) {
    history.pushState(null, "", url);
    last = { at: -QUIET_MS, what: "" };
    set("address", { data: here() });
  }

  // One entry of the history a change; what is typed or dragged in one go is one change.
  function write(search, what) {
    if (search === location.search) { return; }
    const url = location.pathname + search;
    const now = performance.now();
    if (what && what === last.what && now - last.at < QUIET_MS) {
      history.replaceState(null, "", url);
    } else {
      history.pushState(null, "", url);
    }
    last = { at: now, what: what };
  }

  window.addEventListener("popstate", () => { last = { at: -QUIET_MS, what: "" }; set("address", { data: here() }); });

  // what the server tells of one plan

  function tell(one) {
    const side = one.side;
    for (const [word, [value, origin, source]] of Object.entries(one.fields)) {
      const name = side + "-" + word;
      const input = byId(name);
      if (!input) { continue; }
      const wrong = one.word === word && one.error;
      const note = wrong ? one.error : [origin && value ? value + " · " + origin : value || origin, source].filter(Boolean).join(" · ");
      text(name + "-told", note);
      if (wrong) { for (const meant of one.meant) { suggest(name, meant); } }
      byId(name + "-told").className = wrong ? "wrong" : "";
      input.setAttribute("aria-describedby", name + "-told");
      input.setAttribute("placeholder", value);
      if (wrong) { input.setAttribute("aria-invalid", "true"); } else { input.removeAttribute("aria-invalid"); }
    }
    for (const [word, place] of Object.entries(one.sliders)) {
      const slide = byId(side + "-" + word + "-slide");
      if (slide && place !== null && document.activeElement !== slide) { slide.value = place; }
      if (slide) { name(slide); }
    }
    for (const [kind, copied] of Object.entries(one.copies)) { text(side + "-copy-" + kind, copied); }
    text(side + "-problem", one.error ? one.error : "");
    text(side + "-said", one.error ? "" : one.said);
    text(side + "-brief", one.brief);
    for (const part of ["-answer", "-more"]) { byId(side + part).classList.toggle("stale", Boolean(one.error)); }
    for (const field of document.querySelectorAll('.field[data-side="' + side + '"]')) {
      const how = field.dataset.how;
      field.hidden = Boolean(how) && how !== one.how;
    }
  }

  function suggest(id, meant) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.fill = id;
    button.textContent = meant;
    byId(id + "-told").append(" ", button);
  }

  function told_both(a, b) {
    let is_fresh = false;
    for (const one of [a, b]) {
      if (!one || told[one.side] === one) { continue; }
      is_fresh = is_fresh || Boolean(one.fresh);
      told[one.side] = one;
      tell(one);
    }
    if (!b) { told.b = null; }
    if (!is_fresh && a) {
      const pairs = a.pairs.concat(b ? b.pairs.map(([word, value]) => ["b." + word, value]) : []);
      write(query(pairs), touched);
    }
    return window.dash_clientside.no_update;
  }

  // sliders: they write the text of their input

  function name(slide) {
    const rungs = slide.closest(".field").dataset.ladder.split("|");
    slide.setAttribute("aria-valuetext", rungs[Number(slide.value)] || "");
  }

  document.addEventListener("input", (event) => {
    const target = event.target;
    const field = target.closest(".field");
    if (!field) { return; }
    touched = target.id.replace(/-slide$/, "");
    if (target.type === "range") {
      set(touched, { value: field.dataset.ladder.split("|")[Number(target.value)] });
      name(target);
    }
  }, true);

  // lists of names come when an input that offers them is first entered

  let lists = null;

  async function offer(input) {
    const list = byId(input.getAttribute("list"));
    if (!list || list.childElementCount) { return; }
    lists = lists || fetch("/lists.json").then((answer) => answer.json());
    const names = (await lists)[list.id.replace(/^list-/, "")] || [];
    if (list.childElementCount) { return; }
    for (const one of names) {
      const option = document.createElement("option");
      option.value = one;
      list.append(option);
    }
  }

  document.addEventListener("focusin", (event) => {
    if (event.target.matches("input[list]")) { offer(event.target); }
  });

  // buttons and links

  function example(side, how) {
    for (const field of document.querySelectorAll('.field[data-side="' + side + '"]')) {
      const shown = field.dataset.example;
      const input = byId(side + "-" + field.dataset.word);
      if (!shown || !input) { continue; }
      if (how === "preset") {
        if (input.value === shown) { set(input.id, { value: "" }); }
      } else if (!input.value) {
        set(input.id, { value: shown });
      }
    }
  }

  function press(button) {
    for (const one of button.parentElement.querySelectorAll("button[data-store]")) {
      one.setAttribute("aria-pressed", String(one === button));
    }
  }

  async function copy(button) {
    const id = button.dataset.copy;
    for (const one of byId(id).parentElement.querySelectorAll("pre")) { one.hidden = one.id !== id; }
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(byId(id).textContent);
      button.textContent = "Copied";
    } catch (error) {
      getSelection().selectAllChildren(byId(id));
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  }

  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) { return; }
    const link = event.target.closest("a[data-inside]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      go(link.getAttribute("href"));
      scrollTo(0, 0);
      return;
    }
    const button = event.target.closest("button");
    if (!button) { return; }
    if (button.dataset.store) {
      touched = "";
      if (button.hasAttribute("aria-pressed")) { press(button); }
      const how = /^([ab])-how$/.exec(button.dataset.store);
      if (how) { example(how[1], button.dataset.value); }
      set(button.dataset.store, { data: button.dataset.value });
    } else if (button.dataset.fill) {
      touched = button.dataset.fill;
      set(touched, { value: button.textContent });
      byId(touched).focus();
    } else if (button.dataset.copy) {
      copy(button);
    } else if (button.id === "beside" && told.a) {
      go(location.pathname + query(told.a.pairs.concat(told.a.pairs.map(([word, value]) => ["b." + word, value]))));
    } else if (button.id === "alone" && told.a) {
      go(location.pathname + query(told.a.pairs));
    }
  });

  document.addEventListener("submit", (event) => { if (!event.target.method || event.target.method === "get") { event.preventDefault(); } });

  // what had the focus keeps it when it is put in anew

  let focused = "";

  function handle(node) {
    if (node.id) { return "#" + CSS.escape(node.id); }
    if (node.dataset.store) { return 'button[data-store="' + node.dataset.store + '"][data-value="' + CSS.escape(node.dataset.value) + '"]'; }
    return node.matches("a[href]") ? 'main a[href="' + CSS.escape(node.getAttribute("href")) + '"]' : "";
  }

  document.addEventListener("focusin", (event) => { focused = handle(event.target); });
  document.addEventListener("pointerdown", () => { focused = ""; });
  new MutationObserver(() => {
    if (!focused || document.activeElement !== document.body) { return; }
    const again = document.querySelector(focused);
    if (again) { again.focus({ preventScroll: true }); }
  }).observe(document.body, { childList: true, subtree: true });

  // what pictures are drawn on

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 40rem)");
  const screen = () => ({ dark: dark.matches, narrow: narrow.matches });
  for (const one of [dark, narrow]) { one.addEventListener("change", () => set("screen", { data: screen() })); }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.footprint = {
    begin: () => [here(), screen()],
    told: told_both,
    listed: (one) => {
      if (one && !one.fresh) { write(query(one.pairs), touched); }
      return window.dash_clientside.no_update;
    },
    titled: (title) => { document.title = title || "footprint"; return window.dash_clientside.no_update; },
  };
})();
