"use strict";
// The page's script. All data is in the page; names from users are only ever inserted as text.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const by = (id) => document.getElementById(id);
  const read = (id) => JSON.parse(by(id).textContent);
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // Plotly interprets markup in texts.
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("%{", "%&#123;");

  // Figures are drawn when they become visible, in the colours of the page.

  const CONFIG = { displaylogo: false, responsive: true };
  const drawn = new Map(); // from element to figure, as in the page's data
  const template = () => {
    const axis = { gridcolor: color("--grid"), zerolinecolor: color("--line"), linecolor: color("--line"), automargin: true };
    const bare = "rgba(0,0,0,0)";
    const hoverlabel = { bgcolor: color("--raised"), bordercolor: color("--line"), font: { color: color("--ink") } };
    return { layout: { paper_bgcolor: bare, plot_bgcolor: bare, font: { color: color("--ink") }, xaxis: axis, yaxis: axis, hoverlabel } };
  };
  const shown = new Set(all(".draw:checked").map((box) => Number(box.value)));
  let picked = null;

  const traces = (figure) => figure.data.map((trace) => {
    const run = trace.meta?.run;
    if (run === undefined) return trace;
    return { ...trace, visible: trace.meta.always || shown.has(run), opacity: picked === null || picked === run ? 1 : 0.12 };
  });
  const draw = (place, figure) => {
    drawn.set(place, figure);
    const first = !place.classList.contains("js-plotly-plot");
    const done = Plotly.react(place, traces(figure), { ...figure.layout, template: template() }, CONFIG);
    if (first) place.on("plotly_click", ({ points }) => {
      const run = points[0].data.meta?.run;
      if (run !== undefined) pick(run, true);
    });
    return done;
  };
  const redraw = () => drawn.forEach((figure, place) => draw(place, figure));
  const drawFirst = (place) => {
    if (drawn.has(place)) return;
    const data = by(`${place.id}-data`);
    if (data) draw(place, JSON.parse(data.textContent));
    else choosers[place.id]?.();
  };

  // The configurations that are drawn, and the one that is highlighted.

  const pick = (run, scroll) => {
    picked = picked === run && !scroll ? null : run;
    all("#results tbody tr").forEach((row) => {
      const isPicked = Number(row.dataset.run) === picked;
      row.classList.toggle("picked", isPicked);
      row.querySelector(".pick").setAttribute("aria-pressed", isPicked);
      if (isPicked && !shown.has(picked)) row.querySelector(".draw").click();
      if (isPicked && scroll) row.scrollIntoView({ block: "nearest", behavior: "smooth" });
    });
    redraw();
    remember();
  };
  all(".pick").forEach((button) => button.addEventListener("click", () => pick(Number(button.closest("tr").dataset.run), false)));
  all(".draw").forEach((box) => box.addEventListener("change", () => {
    box.checked ? shown.add(Number(box.value)) : shown.delete(Number(box.value));
    redraw();
    remember();
  }));
  const drawAll = (checked) => {
    all(".draw").forEach((box) => { box.checked = checked; });
    all(".draw").forEach((box) => checked ? shown.add(Number(box.value)) : shown.clear());
    redraw();
    remember();
  };
  by("draw-all")?.addEventListener("click", () => drawAll(true));
  by("draw-none")?.addEventListener("click", () => drawAll(false));
  const open = () => {
    const target = location.hash.startsWith("#run-") && by(location.hash.slice(1));
    if (target) target.open = true;
  };
  addEventListener("hashchange", open);

  // Tables are sorted by the data-order of a cell, or by its text; cells without a value come last.

  // Printed numbers: with a hyphen or a typographic minus, with separated thousands, and infinity as Python writes it.
  const PRINTED = /^[-+−]?(?:(?:\d[\d,\u00a0\u2009\u202f]*)?\.?\d+(?:e[-+−]?\d+)?(?![\d.])|inf(?:inity)?\b|∞)/i;
  const numeral = (text) => Number(text.replace(/−/g, "-").replace(/(?<=\d)[,\u00a0\u2009\u202f](?=\d{3}(?!\d))/g, "")
    .replace(/^([-+]?)(?:inf(?:inity)?|∞)$/i, "$1Infinity"));
  const value = (row, column) => {
    const cell = row.cells[column];
    const shown = cell.dataset.order ?? cell.innerText.trim();
    if (shown === "" || shown === "-" || shown === "nan" || (cell.dataset.order === undefined && shown.startsWith(">"))) return null;
    const number = numeral(cell.dataset.order ?? (shown.match(PRINTED)?.[0] ?? shown));
    return Number.isNaN(number) ? shown : number;
  };
  const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  const sort = (button) => {
    const head = button.closest("th"), table = button.closest("table"), column = head.cellIndex;
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    all("th[aria-sort]", table).forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", sign === 1 ? "ascending" : "descending");
    const rows = all("tr", table.tBodies[0]).map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null) : sign * compare(a, b));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  all(".sort").forEach((button) => button.addEventListener("click", () => sort(button)));

  // Pairs of experts, and graphs: one seed at a time.

  const choosers = {};
  const fill = (select, seeds) => {
    let group = null;
    seeds.forEach(({ run, label, seed }, position) => {
      if (group === null || group.dataset.run !== String(run)) {
        group = select.appendChild(document.createElement("optgroup"));
        group.label = label;
        group.dataset.run = run;
      }
      const option = group.appendChild(document.createElement("option"));
      option.value = position;
      option.textContent = `${label}, seed ${seed}`;
    });
  };
  const look = (height, rest) => ({ height, hovermode: "closest", margin: { l: 50, r: 20, t: 20, b: 45 }, font: { family: "system-ui, sans-serif", size: 13 }, ...rest });
  all(".pairs-data").forEach((data) => {
    const { seeds, least, most, unit } = JSON.parse(data.textContent), { suffix } = data.dataset;
    const [select, slider, description, figure] = ["pairs-seed", "pairs-iteration", "pairs-description", "figure-pairs"].map((name) => by(`${name}${suffix}`));
    const numbers = seeds.map(() => null);
    fill(select, seeds);
    const selected = () => seeds[select.value];
    const decoded = (position) => numbers[position] ??= (() => {
      const bytes = Uint8Array.from(atob(seeds[position].values), (letter) => letter.charCodeAt(0));
      const view = new DataView(bytes.buffer);
      return Array.from({ length: bytes.length / 2 }, (_, at) => view.getUint16(2 * at, true));
    })();
    const show = () => {
      const { experts, iterations } = selected();
      const pairs = experts * (experts - 1) / 2;
      let at = pairs * slider.value;
      const z = Array.from({ length: experts }, () => Array(experts).fill(null));
      for (let i = 0; i < experts; i++) for (let j = i + 1; j < experts; j++, at++) {
        const coded = decoded(select.value)[at];
        z[i][j] = z[j][i] = coded === 65535 ? null : least + coded / 1000;
      }
      description.textContent = iterations[slider.value];
      slider.setAttribute("aria-valuetext", `iteration ${iterations[slider.value]}`);
      const axis = { title: { text: "expert" }, constrain: "domain", showgrid: false, zeroline: false };
      draw(figure, {
        data: [{ type: "heatmap", z, zmin: least, zmax: most, colorscale: "Viridis", colorbar: { title: { text: unit } }, hoverongaps: false, hovertemplate: `experts %{x} and %{y}: %{z:.3f} ${unit}<extra></extra>` }],
        layout: look(460, { xaxis: axis, yaxis: { ...axis, scaleanchor: "x", autorange: "reversed" } }),
      });
    };
    const choose = (iteration = Infinity) => {
      const later = selected().iterations.findIndex((known) => known >= iteration);
      slider.max = selected().iterations.length - 1;
      slider.value = later === -1 ? slider.max : later;
      show();
    };
    slider.addEventListener("input", show);
    select.addEventListener("change", () => choose());
    choosers[figure.id] = choose;
  });
  if (by("graphs-data")) {
    const graphs = read("graphs-data"), select = by("graph-seed");
    fill(select, graphs);
    const at = (expert, experts) => [Math.sin(2 * Math.PI * expert / experts), Math.cos(2 * Math.PI * expert / experts)];
    const show = () => {
      const { experts, pairs, real, imaginary } = graphs[select.value];
      const known = new Set(pairs.map(String));
      const lines = (some) => {
        const x = [], y = [];
        some.forEach(([sender, receiver]) => {
          const [from, to] = [at(sender, experts), at(receiver, experts)];
          x.push(from[0], to[0], null);
          y.push(from[1], to[1], null);
        });
        return { type: "scatter", mode: "lines", x, y, hoverinfo: "skip", line: { width: 1.2, color: "#7f8a96" }, showlegend: false };
      };
      const oneWay = pairs.filter(([a, b]) => !known.has(`${b},${a}`));
      const mutual = pairs.filter(([a, b]) => a < b && known.has(`${b},${a}`));
      const arrows = { ...lines(oneWay), mode: "lines+markers", marker: { symbol: "arrow", angleref: "previous", standoff: 11, size: oneWay.flatMap(() => [0, 11, 0]), color: "#7f8a96" } };
      const places = Array.from({ length: experts }, (_, expert) => at(expert, experts));
      const received = Array(experts).fill(0), sent = Array(experts).fill(0);
      pairs.forEach(([sender, receiver]) => { sent[sender]++; received[receiver]++; });
      const nodes = {
        type: "scatter", mode: "markers+text", x: places.map(([x]) => x), y: places.map(([, y]) => y), text: places.map((_, expert) => expert),
        textfont: { color: "#fff", size: 11 }, marker: { size: 22, color: "#3b6ea5" }, showlegend: false,
        hovertext: places.map((_, expert) => `expert ${expert}: in-degree ${received[expert]}, out-degree ${sent[expert]}`), hoverinfo: "text",
      };
      const axis = { visible: false, range: [-1.15, 1.15] };
      draw(by("figure-graph"), { data: [lines(mutual), arrows, nodes], layout: look(420, { xaxis: { ...axis, constrain: "domain" }, yaxis: { ...axis, scaleanchor: "x" }, margin: { l: 5, r: 5, t: 5, b: 5 } }) });
      draw(by("figure-spectrum"), {
        data: [{ type: "scatter", mode: "markers", x: real, y: imaginary, marker: { size: 10, color: "#3b6ea5", opacity: 0.6 }, hovertemplate: "%{x:.4g} + %{y:.4g}i<extra></extra>" }],
        layout: look(420, { xaxis: { title: { text: "real part" }, rangemode: "tozero" }, yaxis: { title: { text: "imaginary part" }, ...(imaginary.some(Boolean) ? {} : { range: [-1, 1] }) } }),
      });
      by("graph-description").textContent = `${experts} experts, ${pairs.length} directed edges. Plain lines: edges in both directions. Arrows point at the receiver.`;
    };
    select.addEventListener("change", show);
    choosers["figure-graph"] = choosers["figure-spectrum"] = show;
  }

  // The configurations of one run, or of two runs for comparison.

  if (by("configurations-data")) {
    const runs = read("configurations-data");
    const [first, second, whole] = ["first", "second", "all"].map((name) => by(`configuration-${name}`));
    second.append(new Option("none", ""));
    runs.forEach(({ label }, position) => {
      first.append(new Option(label, position));
      second.append(new Option(label, position));
    });
    if (runs.length > 1) second.value = "1";
    const show = () => {
      const chosen = [first, second].filter((select) => select.value !== "").map((select) => runs[select.value]);
      const keys = [...new Set(chosen.flatMap(({ config }) => Object.keys(config)))].sort();
      const differs = (key) => chosen.length > 1 && chosen[0].config[key] !== chosen[1].config[key];
      const row = (tag, texts) => {
        const made = document.createElement("tr");
        made.append(...texts.map((text) => Object.assign(document.createElement(tag), { textContent: text, ...(tag === "th" && { scope: "col" }) })));
        return made;
      };
      const table = by("configuration-table");
      table.tHead.replaceChildren(row("th", ["key", ...chosen.map(({ label }) => label)]));
      table.tBodies[0].replaceChildren(...keys.filter((key) => chosen.length === 1 || whole.checked || differs(key)).map((key) => {
        const made = row("td", [key, ...chosen.map(({ config }) => config[key] ?? "-")]);
        made.classList.toggle("differs", differs(key));
        return made;
      }));
      const count = keys.filter(differs).length;
      by("configuration-description").textContent = chosen.length > 1 ? `${count} of ${keys.length} keys differ.` : `${keys.length} keys.`;
    };
    [first, second, whole].forEach((control) => control.addEventListener("change", show));
    all(".configure").forEach((link) => link.addEventListener("click", () => {
      first.value = link.dataset.run;
      second.value = "";
      show();
    }));
    show();
  }

  // Light and dark.

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const paint = () => {
    by("theme").textContent = isDark() ? "Light" : "Dark";
    redraw();
  };
  by("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    paint();
    remember();
  });
  dark.addEventListener("change", paint);

  // The user's choices are kept when the page is reloaded, as it is while runs are running: by names, since positions may change.

  const KEY = `badger_sweeps ${location.pathname}`;
  const names = Object.fromEntries(all("#results tbody tr").map((row) => [row.dataset.run, row.querySelector(".pick").innerText]));
  const selects = all("select"), folded = all("details"), sliders = all(".pairs-iteration");
  const text = (select) => select.selectedOptions[0]?.textContent;
  function remember() {
    const state = {
      theme: document.documentElement.dataset.theme,
      drawn: [...shown].map((run) => names[run]),
      known: Object.values(names),
      picked: names[picked],
      chosen: Object.fromEntries(selects.map((select) => [select.id, text(select)])),
      open: Object.fromEntries(folded.map((details) => [details.id, details.open])),
      iterations: sliders.map((slider) => (slider.value !== slider.max && slider.labels[0].querySelector("output").textContent) || null), // null: the last iteration, also after a reload
    };
    try { sessionStorage.setItem(KEY, JSON.stringify(state)); } catch { /* the browser's storage is off: choices are not kept */ }
  }
  const recall = () => {
    let state = null;
    try { state = JSON.parse(sessionStorage.getItem(KEY)); } catch { return; }
    if (!state) return;
    if (state.theme) document.documentElement.dataset.theme = state.theme;
    all(".draw").forEach((box) => {
      const name = names[box.value];
      if (!state.known.includes(name)) return;
      box.checked = state.drawn.includes(name);
      box.checked ? shown.add(Number(box.value)) : shown.delete(Number(box.value));
      if (name === state.picked) picked = Number(box.value);
    });
    all("#results tbody tr").forEach((row) => {
      row.classList.toggle("picked", Number(row.dataset.run) === picked);
      row.querySelector(".pick").setAttribute("aria-pressed", Number(row.dataset.run) === picked);
    });
    folded.forEach((details) => { details.open = state.open[details.id] ?? details.open; });
    selects.forEach((select) => {
      const option = [...select.options].find(({ textContent }) => textContent === state.chosen[select.id]);
      if (!option || option.selected) return;
      option.selected = true;
      select.dispatchEvent(new Event("change"));
    });
    sliders.forEach((slider, position) => {
      const iteration = state.iterations?.[position] ?? null;
      if (iteration !== null) choosers[slider.id.replace("pairs-iteration", "figure-pairs")](Number(iteration));
    });
  };

  // A served page polls for a newer version, and reloads when the user is inactive.

  if ("live" in document.body.dataset) {
    const EVERY = 10_000, QUIET = 3_000; // milliseconds
    const version = document.body.dataset.live;
    let touched = -QUIET;
    ["pointermove", "pointerdown", "keydown", "wheel"].forEach((kind) => addEventListener(kind, () => { touched = performance.now(); }));
    const ask = async () => {
      try {
        const answer = await (await fetch("?version", { cache: "no-store" })).text();
        by("live").textContent = "live";
        const now = performance.now();
        if (answer !== version && now > EVERY && now - touched > QUIET) {
          remember();
          location.reload();
        }
      } catch {
        by("live").textContent = "the server has ended";
      }
    };
    ask();
    setInterval(ask, 2000);
  }

  recall();
  open();
  paint();
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => {
    seen.unobserve(target);
    drawFirst(target);
  }), { rootMargin: "400px" });
  all(".plot").forEach((place) => seen.observe(place));
  addEventListener("beforeprint", () => all(".plot").forEach(drawFirst));
})();
