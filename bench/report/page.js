// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);

  // Looks: the same colour, marker and dash for a backend as in the static plots.
  const looks = {
    sequential: { color: "--sequential", point: "rect", glyph: "\u25a0", dash: [] },
    threads: { color: "--threads", point: "circle", glyph: "\u25cf", dash: [] },
    openmp: { color: "--openmp", point: "triangle", glyph: "\u25b2", dash: [9, 4] },
    tbb: { color: "--tbb", point: "rectRot", glyph: "\u25c6", dash: [9, 3, 2, 3] },
  };
  const otherLook = { color: "--other", point: "star", glyph: "\u2731", dash: [3, 3] };
  const peerLooks = [["circle", "\u25cb"], ["rect", "\u25a1"], ["rectRot", "\u25c7"], ["triangle", "\u25b3"]];
  const lookOf = (name) => (Object.hasOwn(looks, name) ? looks[name] : otherLook);
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const faded = (hex, alpha) => {
    const n = parseInt(hex.slice(1), 16);
    return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
  };

  const digits = (x) => x.toFixed(Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x) || 1)))));
  const unitOf = (ns) => (ns < 1e3 ? ["ns", 1] : ns < 1e6 ? ["\u00b5s", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9]);
  const time = (ns) => { const [unit, size] = unitOf(ns); return `${digits(ns / size)} ${unit}`; };
  const times = (x) => `${digits(x)}\u00d7`;
  const counted = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;

  // Round values for an axis, as in the static plots.
  const roundValues = (low, high, log) => {
    const out = [];
    if (log && high / low >= 12) {
      for (let d = Math.floor(Math.log10(low)); d <= Math.ceil(Math.log10(high)); ++d)
        for (const step of high / low > 2000 ? [1] : [1, 2, 5]) out.push(step * 10 ** d);
    } else {
      const ideal = (high - low) / 6;
      const decade = 10 ** Math.floor(Math.log10(ideal));
      const step = decade * [1, 2, 5, 10].find((s) => s * decade >= ideal * 0.999);
      for (let i = Math.ceil(low / step); i * step <= high * 1.0001; ++i) out.push(i * step);
    }
    return out.filter((v) => v >= low * 0.999 && v <= high * 1.001).map((v) => Number(v.toPrecision(6)));
  };
  const powersOfTwo = (low, high) => {
    if (high / low < 5) return roundValues(low, high, false);
    const out = [];
    for (let v = 2 ** Math.ceil(Math.log2(low)); v <= high; v *= 2) out.push(v);
    return out;
  };

  // Whiskers, and hairlines where the machine's cores or quota end; Chart.js has neither.
  const marks = {
    id: "marks",
    beforeDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales: { x } } = chart;
      ctx.save();
      ctx.font = `11px ${getComputedStyle(document.body).fontFamily}`;
      for (const [at, words] of chart.options.plugins.marks.lines || []) {
        if (at < x.min || at > x.max) continue;
        const px = x.getPixelForValue(at);
        ctx.strokeStyle = color("--guide");
        ctx.setLineDash([2, 4]);
        ctx.beginPath();
        ctx.moveTo(px, area.top);
        ctx.lineTo(px, area.bottom);
        ctx.stroke();
        // Named where the curves' ends leave most room.
        const ends = chart.getSortedVisibleDatasetMetas().filter((meta) => meta.data.length).map((meta) => meta.data[meta.data.length - 1].y);
        const half = ctx.measureText(words).width / 2;
        const room = (middle) => Math.min(...ends.map((end) => Math.abs(end - middle)));
        let middle = area.bottom - half - 6;
        for (const other of [area.top + half + 6, (area.top + area.bottom) / 2])
          if (room(middle) < half + 12 && room(other) > room(middle)) middle = other;
        ctx.translate(px - 4, middle);
        ctx.rotate(-Math.PI / 2);
        ctx.fillStyle = color("--soft");
        ctx.textAlign = "center";
        ctx.fillText(words, 0, 0);
        ctx.setTransform(chart.currentDevicePixelRatio, 0, 0, chart.currentDevicePixelRatio, 0, 0);
      }
      ctx.restore();
    },
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales: { x, y } } = chart;
      ctx.save();
      ctx.beginPath();
      ctx.rect(area.left, area.top, area.right - area.left, area.bottom - area.top);
      ctx.clip();
      ctx.lineWidth = 1.3;
      chart.data.datasets.forEach((set, i) => {
        if (!set.whiskers || !chart.isDatasetVisible(i)) return;
        ctx.strokeStyle = set.borderColor;
        for (const point of set.data) {
          if (point.low === undefined) continue;
          const px = x.getPixelForValue(point.x), low = y.getPixelForValue(point.low), high = y.getPixelForValue(point.high);
          ctx.beginPath();
          ctx.moveTo(px - 4, low); ctx.lineTo(px + 4, low);
          ctx.moveTo(px, low); ctx.lineTo(px, high);
          ctx.moveTo(px - 4, high); ctx.lineTo(px + 4, high);
          ctx.stroke();
        }
      });
      ctx.restore();
    },
  };

  const countsOf = (c) => {
    const set = new Set();
    for (const curve of c.curves) for (const p of curve.points) set.add(p[0]);
    for (const peer of c.peers) for (const p of peer.points) set.add(p[0]);
    return [...set].sort((a, b) => a - b);
  };

  // A chart's contents, in real units; `y` of a point may carry [low, high] and words to show on hover.
  const contents = {
    speedup(c, counts) {
      const last = counts[counts.length - 1];
      const items = [{ name: "ideal", guide: true, points: [...new Set([1, ...counts])].map((p) => [p, p]) }];
      if (c.roof.length) items.push({ name: "roof", roof: true, points: c.roof, words: (p) => `roof: ${times(p[1])} at most` });
      for (const curve of c.curves)
        if (curve.law.length > 1)
          items.push({ name: `law of ${curve.name}`, band: curve.name, hidden: curve.name !== c.best, points: curve.law });
      c.peers.forEach((peer, i) => items.push({
        name: peer.name, peer: i, points: peer.points.map((p) => [p[0], c.sequential / p[1], undefined, undefined, p[1]]),
        words: (p) => `${peer.name}: ${times(p[1])}, ${time(p[4])}`,
      }));
      for (const curve of c.curves)
        items.push({
          name: curve.name, points: curve.points.filter((p) => p[5] !== null).map((p) => [p[0], p[5], p[6], p[7], p[2], p[1]]),
          words: (p) => `${curve.name}: ${times(p[1])}${p[2] ? ` [${digits(p[2])}, ${digits(p[3])}]` : ""}, ${time(p[4])}, n = ${p[5]}`,
        });
      return { items, ticks: powersOfTwo, log: true, floor: 0, least: [1], most: [last], skip: (i) => i.roof || i.band, format: String };
    },
    efficiency(c) {
      const items = [];
      for (const curve of c.curves)
        items.push({
          name: curve.name,
          points: curve.points.filter((p) => p[5] !== null).map((p) =>
            [p[0], 100 * p[5] / p[0], p[6] && 100 * p[6] / p[0], p[7] && 100 * p[7] / p[0], p[2]]),
          words: (p) => `${curve.name}: ${p[1].toFixed(1)} %${p[2] ? ` [${p[2].toFixed(1)}, ${p[3].toFixed(1)}]` : ""}, ${time(p[4])}`,
        });
      const at = countsOf(c);
      items.unshift({ name: "ideal", guide: true, wide: true, points: at.map((p) => [p, 100]) });
      return { items, ticks: (low, high) => roundValues(low, high, false), log: false, floor: 0, least: [0], most: [110], format: (v) => `${v} %` };
    },
    time(c, counts) {
      const items = [{ name: "ideal", guide: true, points: counts.map((p) => [p, c.sequential / p]) }];
      c.peers.forEach((peer, i) => items.push({ name: peer.name, peer: i, points: peer.points, words: (p) => `${peer.name}: ${time(p[1])}` }));
      for (const curve of c.curves)
        items.push({
          name: curve.name, points: curve.points.map((p) => [p[0], p[2], p[3], p[4], p[1]]),
          words: (p) => `${curve.name}: ${time(p[1])}${p[2] ? ` [${time(p[2])}, ${time(p[3])}]` : ""}, n = ${p[4]}`,
        });
      const unit = unitOf(Math.min(...c.curves.flatMap((k) => k.points.map((p) => p[2]))));
      return {
        items, log: true, floor: 0, least: [], most: [], skip: (i) => i.guide, unit,
        ticks: (low, high, log) => roundValues(low / unit[1], high / unit[1], log).map((v) => v * unit[1]),
        format: (v) => `${Number((v / unit[1]).toPrecision(4))} ${unit[0]}`,
      };
    },
  };

  const base = () => {
    const soft = color("--soft"), faint = color("--faint");
    return {
      responsive: true, maintainAspectRatio: false, animation: false, normalized: true,
      font: { family: getComputedStyle(document.body).fontFamily },
      interaction: { mode: "nearest", intersect: false, axis: "xy" },
      scales: {
        x: { type: "linear", grid: { color: faint, borderColor: soft }, ticks: { color: soft, maxRotation: 0, autoSkipPadding: 6 }, title: { display: true, text: "threads", color: soft } },
        y: { type: "linear", grid: { color: faint, borderColor: soft }, ticks: { color: soft, autoSkip: false }, title: { display: false, color: soft } },
      },
      plugins: { legend: { display: false }, marks: {} },
    };
  };

  const dataset = (item, points, extra) => {
    const look = lookOf(item.name);
    const tone = color(item.guide ? "--guide" : item.roof ? "--ink" : item.peer !== undefined ? "--peer" : look.color);
    return Object.assign({
      label: item.name, data: points, parsing: false, borderColor: tone, backgroundColor: tone, showLine: true, whiskers: true,
      borderWidth: item.guide || item.peer !== undefined ? 1.2 : 2,
      borderDash: item.guide ? [] : item.roof ? [1.5, 3] : item.peer !== undefined ? [4, 3] : look.dash,
      pointStyle: item.peer !== undefined ? peerLooks[item.peer % peerLooks.length][0] : look.point,
      pointRadius: item.guide || item.roof ? 0 : item.peer !== undefined ? 4 : 4.5,
      pointHoverRadius: item.guide || item.roof ? 0 : 6.5,
      pointBackgroundColor: item.peer !== undefined ? color("--paper") : tone,
    }, extra);
  };

  const legend = (figure, chart, groups) => {
    const box = figure.querySelector(".legend");
    box.replaceChildren();
    for (const { name, glyph, tone, sets, hidden } of [...groups].sort((a, b) => (a.rank ?? 0) - (b.rank ?? 0))) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(!hidden));
      const mark = document.createElement("i");
      mark.textContent = glyph;
      mark.style.color = tone;
      mark.setAttribute("aria-hidden", "true");
      button.append(mark, name);
      button.addEventListener("click", () => {
        const show = button.getAttribute("aria-pressed") === "false";
        button.setAttribute("aria-pressed", String(show));
        figure.hiddenItems[show ? "delete" : "add"](name);
        figure.shownItems[show ? "add" : "delete"](name);
        for (const i of sets) chart.setDatasetVisibility(i, show);
        chart.update();
      });
      box.append(button);
    }
  };

  const drawAgainstThreads = (figure, c) => {
    const kind = figure.dataset.chart;
    const counts = countsOf(c);
    const what = contents[kind](c, counts);
    const linear = figure.dataset.linear === "true";
    const tx = linear ? (v) => v : Math.log2, ty = linear || !what.log ? (v) => v : Math.log2;
    const values = what.items.filter((i) => !(what.skip && what.skip(i)))
      .flatMap((i) => i.points.flatMap((p) => [p[1], p[2], p[3]])).filter((v) => v > 0).concat(what.least.filter((v) => v > 0), what.most);
    let low = Math.min(...values), high = Math.max(...values);
    if (kind === "speedup")
      for (const [, roof] of c.roof) high = Math.max(high, Math.min(roof, 1.3 * counts[counts.length - 1]));
    const span = tx(counts[counts.length - 1]) - tx(counts[0]) || 1;
    const padX = 0.06 * span;
    const grow = what.log && !linear ? Math.max((ty(high) - ty(low)) * 0.05, 0.04) : (high - low) * 0.05;
    let yLow = what.log && !linear ? 2 ** (Math.log2(low) - grow) : 0;
    let yHigh = what.log && !linear ? 2 ** (Math.log2(high) + grow) : kind === "efficiency" ? high : high + grow;
    const curves = what.items.filter((i) => lookOf(i.name) !== undefined && !i.guide && !i.roof && !i.band && i.peer === undefined && i.name !== "sequential");
    const options = base();
    const sets = [], groups = [];
    for (const item of what.items) {
      const hidden = figure.hiddenItems.has(item.name) || (item.hidden && !figure.shownItems.has(item.name));
      if (item.band) {
        const tone = color(lookOf(item.band).color);
        const line = (k, extra) => Object.assign(dataset(item, item.points.map((p) => ({ x: tx(p[0]), y: ty(p[k]) }))), {
          borderColor: tone, backgroundColor: faded(tone, 0.16), pointRadius: 0, pointHoverRadius: 0, whiskers: false, hidden, borderDash: [],
        }, extra);
        sets.push(line(2, { borderWidth: 0, fill: "+1" }), line(3, { borderWidth: 0 }), line(1, { borderWidth: 1 }));
        groups.push({ name: item.name, glyph: "\u2592", tone, sets: [sets.length - 3, sets.length - 2, sets.length - 1], hidden, rank: 3 });
        continue;
      }
      const side = curves.includes(item) ? (curves.indexOf(item) - (curves.length - 1) / 2) * 0.012 * span : 0;
      const points = item.points.filter((p) => p[1] > 0).map((p) => Object.assign(
        { x: tx(p[0]) + side, y: ty(p[1]), raw: p }, p[2] > 0 && curves.concat(what.items.find((i) => i.name === "sequential")).includes(item) ? { low: ty(p[2]), high: ty(p[3]) } : {}));
      sets.push(dataset(item, points, { hidden, words: item.words }));
      groups.push({
        name: item.name, hidden, rank: item.peer !== undefined ? 1 : item.guide || item.roof ? 2 : 0, sets: [sets.length - 1], tone: sets[sets.length - 1].borderColor,
        glyph: item.guide ? "\u2500" : item.roof ? "\u2508" : item.peer !== undefined ? peerLooks[item.peer % peerLooks.length][1] : lookOf(item.name).glyph,
      });
    }
    const labels = new Map(counts.map((n) => [tx(n), String(n)]));
    const fix = (axis, at) => Object.assign(options.scales[axis], { afterBuildTicks: (scale) => { scale.ticks = at.map((value) => ({ value })); } });
    Object.assign(fix("x", [...labels.keys()]), { min: tx(counts[0]) - padX, max: tx(counts[counts.length - 1]) + padX });
    options.scales.x.ticks.callback = (value) => labels.get(value) ?? "";
    const yTicks = what.ticks(yLow || 0, yHigh, what.log && !linear);
    const yLabels = new Map(yTicks.map((v) => [ty(v), what.format(v)]));
    Object.assign(fix("y", [...yLabels.keys()]), { min: ty(yLow), max: ty(yHigh) });
    options.scales.y.ticks.callback = (value) => yLabels.get(value) ?? "";
    options.plugins.marks = { lines: data.limits.map(([at, words]) => [tx(at), words]) };
    options.plugins.tooltip = {
      filter: (item) => item.dataset.words !== undefined,
      callbacks: {
        title: (items) => (items.length ? counted(items[0].raw.raw[0], "thread") : ""),
        label: (item) => item.dataset.words(item.raw.raw),
      },
    };
    return { config: { type: "line", data: { datasets: sets }, options, plugins: [marks] }, groups };
  };

  const drawRounds = (figure, c) => {
    const options = base();
    const sets = [], groups = [];
    let last = 1, far = 2;
    for (const curve of c.curves) {
      const points = [];
      for (const p of curve.points)
        for (let i = 0; i + 1 < p[8].length; i += 2) {
          const percent = 100 * (p[8][i + 1] / p[2] - 1);
          last = Math.max(last, p[8][i]);
          far = Math.max(far, Math.abs(percent));
          points.push({ x: p[8][i], y: percent, raw: [p[0], p[8][i + 1]] });
        }
      if (!points.length) continue;
      const look = lookOf(curve.name), tone = color(look.color);
      points.forEach((p) => { p.x += (sets.length - (c.curves.length - 1) / 2) * 0.09; });
      const hidden = figure.hiddenItems.has(curve.name);
      sets.push({
        label: curve.name, data: points, parsing: false, showLine: false, hidden, pointStyle: look.point, pointRadius: 3, pointHoverRadius: 5,
        borderColor: tone, backgroundColor: faded(tone, 0.55), borderWidth: 1,
        words: (p) => `${curve.name}, ${counted(p.raw[0], "thread")}, round ${Math.round(p.x)}: ${time(p.raw[1])}, ${p.y >= 0 ? "+" : "\u2212"}${Math.abs(p.y).toFixed(1)} % of the median`,
      });
      groups.push({ name: curve.name, glyph: look.glyph, tone, sets: [sets.length - 1], hidden });
    }
    if (data.noise_floor)
      for (const sign of [1, -1])
        sets.push(dataset({ name: "noise floor", guide: true }, [{ x: 0.5, y: sign * 100 * data.noise_floor }, { x: last + 0.5, y: sign * 100 * data.noise_floor }], { borderDash: [2, 3] }));
    Object.assign(options.scales.x, { min: 0.5, max: last + 0.5, afterBuildTicks: (scale) => { scale.ticks = Array.from({ length: last }, (_, i) => ({ value: i + 1 })); } });
    options.scales.x.title.text = "round";
    Object.assign(options.scales.y, { suggestedMin: -far, suggestedMax: far });
    options.scales.y.ticks.callback = (value) => `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))} %`;
    options.scales.y.ticks.maxTicksLimit = 6;
    options.plugins.tooltip = { filter: (item) => item.dataset.words !== undefined, callbacks: { title: () => "", label: (item) => item.dataset.words(item.raw) } };
    return { config: { type: "line", data: { datasets: sets }, options, plugins: [marks] }, groups };
  };

  const draw = (figure) => {
    if (figure.chart) figure.chart.destroy();
    const c = data.cases[Number(figure.dataset.case)];
    const { config, groups } = figure.dataset.chart === "rounds" ? drawRounds(figure, c) : drawAgainstThreads(figure, c);
    figure.chart = new Chart(figure.querySelector("canvas"), config);
    legend(figure, figure.chart, groups);
  };

  const figures = window.Chart ? [...document.querySelectorAll("figure[data-chart]")] : [];
  for (const figure of figures) {
    figure.hiddenItems = new Set();
    figure.shownItems = new Set();
    const button = figure.querySelector("figcaption button");
    if (!button) continue;
    button.hidden = false;
    button.addEventListener("click", () => {
      const linear = figure.dataset.linear !== "true";
      figure.dataset.linear = String(linear);
      button.setAttribute("aria-pressed", String(linear));
      draw(figure);
    });
  }
  // Only what comes near the window is drawn, so that a page of many cases opens at once.
  const margin = 600;
  const near = (figure) => figure.getBoundingClientRect().top < window.innerHeight + margin;
  const drawFirst = () => {
    const observer = window.IntersectionObserver && new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          observer.unobserve(target);
          draw(target);
        }
    }, { rootMargin: `${margin}px` });
    for (const figure of figures)
      if (!observer || near(figure)) draw(figure); else observer.observe(figure);
  };

  // Theme: the system's, or chosen; #dark and #light in the address choose too.
  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  const remembered = () => { try { return localStorage.getItem("speedwell-theme"); } catch { return null; } };
  const setTheme = (theme) => {
    if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
    button.dataset.theme = theme;
    figures.filter((figure) => figure.chart).forEach(draw);
  };
  const asked = location.hash.slice(1);
  const first = asked === "light" || asked === "dark" ? asked : remembered();
  button.hidden = false;
  setTheme(themes.includes(first) ? first : "system");
  drawFirst();
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(button.dataset.theme) + 1) % themes.length];
    try { localStorage.setItem("speedwell-theme", next); } catch { /* a page from disk may have no storage */ }
    setTheme(next);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    if (button.dataset.theme === "system") setTheme("system");
  });

  // On paper: everything drawn, every table open, dark ink.
  const opened = [];
  let before = "system";
  window.addEventListener("beforeprint", () => {
    before = button.dataset.theme;
    setTheme("light");
    figures.filter((figure) => !figure.chart).forEach(draw);
    for (const box of document.querySelectorAll("details:not([open])")) { box.open = true; opened.push(box); }
    figures.forEach((figure) => figure.chart.resize());
  });
  window.addEventListener("afterprint", () => {
    for (const box of opened.splice(0)) box.open = false;
    setTheme(before);
  });
})();
