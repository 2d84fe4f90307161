// SPDX-License-Identifier: Apache-2.0
// What the page's charts show, and its controls. Drawing is charts.js's; without Chart.js the page is text and pictures.
(() => {
  const root = document.documentElement;
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== false) made.setAttribute(name, value === true ? "" : value);
    made.append(...children);
    return made;
  };
  const say = (words) => { document.getElementById("said").textContent = words; };

  // Looks: the same colour, marker and dash for a backend as in the static plots.
  const looks = {
    sequential: { tone: "--sequential", point: "rect", glyph: "\u25a0", dash: [] },
    threads: { tone: "--threads", point: "circle", glyph: "\u25cf", dash: [] },
    openmp: { tone: "--openmp", point: "triangle", glyph: "\u25b2", dash: [9, 4] },
    tbb: { tone: "--tbb", point: "rectRot", glyph: "\u25c6", dash: [9, 3, 2, 3] },
  };
  const lookOf = (name) => (Object.hasOwn(looks, name) ? looks[name] : { tone: "--other", point: "star", glyph: "\u2731", dash: [3, 3] });
  // What has no colour of its own: runs, kernels.
  const points = [["circle", "\u25cf"], ["triangle", "\u25b2"], ["rectRot", "\u25c6"], ["rect", "\u25a0"], ["star", "\u2731"]];
  const numbered = (i) => {
    const [point, glyph] = points[i % points.length];
    return { tone: `--n${i % 7}`, point, glyph, dash: [[], [9, 4], [9, 3, 2, 3], [3, 3]][i % 4] };
  };
  const peerLook = (i) => ({ tone: "--peer", ...(([point, glyph]) => ({ point, glyph }))([["circle", "\u25cb"], ["rect", "\u25a1"], ["rectRot", "\u25c7"], ["triangle", "\u25b3"]][i % 4]), dash: [4, 3], width: 1.1, rank: 1 });

  const digits = (x) => x.toFixed(Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(Math.abs(x) || 1)))));
  const unitOf = (ns) => (ns < 1e3 ? ["ns", 1] : ns < 1e6 ? ["\u00b5s", 1e3] : ns < 1e9 ? ["ms", 1e6] : ["s", 1e9]);
  const time = (ns) => { const [unit, size] = unitOf(ns); return `${digits(ns / size)} ${unit}`; };
  const prefixOf = (v) => (v < 1e6 ? ["k", 1e3] : v < 1e9 ? ["M", 1e6] : v < 1e12 ? ["G", 1e9] : ["T", 1e12]);
  const rate = (v, unit) => { const [prefix, size] = prefixOf(v); return `${digits(v / size)} ${prefix}${unit}`; };
  const times = (x) => `${digits(x)}\u00d7`;
  const percent = (x) => `${x.toFixed(Math.abs(x) < 9.95 ? 1 : 0)} %`;
  const counted = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
  const bracket = (low, high, words) => (low === null || low === undefined ? "" : ` [${words(low)}, ${words(high)}]`);

  const countsOf = (c) => [...new Set([...c.curves, ...(c.peers || [])].flatMap((curve) => curve.points.map((p) => p.threads)))].sort((a, b) => a - b);
  const threadAxis = (counts, linear) => {
    const last = counts[counts.length - 1], span = linear ? last - counts[0] || 1 : Math.log2(last / counts[0]) || 1;
    const limits = linear ? [counts[0] - 0.05 * span, last + 0.05 * span] : [counts[0] * 2 ** (-0.05 * span), last * 2 ** (0.05 * span)];
    return { title: "threads", log: !linear, ticks: counts.map((n) => [n, String(n)]), limits };
  };
  const threadsTitle = (p) => counted(p.threads, "thread");
  const nWords = (c) => {
    const n = c.curves.flatMap((curve) => curve.points.map((p) => p.samples));
    const [low, high] = [Math.min(...n), Math.max(...n)];
    return low === high ? `n = ${low} rounds` : `n = ${low} to ${high} rounds`;
  };
  const roundsOnAxis = (c) => `Medians, ${nWords(c)}, with 95 % intervals`;

  // Series of every curve and peer of a case: `value` makes {y, low, high} of a point.
  const curvesAs = (c, value, words) => c.curves.map((curve) => ({
    name: curve.name, label: curve.name, ...curve.look,
    points: curve.points.flatMap((p) => {
      const v = value(p, curve);
      return v && Number.isFinite(v.y) ? [{ x: p.threads, ...v, title: threadsTitle(p), words: `${curve.name}: ${words(p, v)}` }] : [];
    }),
  })).filter((series) => series.points.length);
  const peersAs = (c, value, words) => c.peers.map((peer) => ({
    name: peer.name, label: peer.name, ink: "--soft", aside: true, ...peer.look,
    points: peer.points.map((p) => { const v = value(p); return { x: p.threads, y: v, hollow: true, title: threadsTitle(p), words: `${peer.name}: ${words(p, v)}` }; }),
  }));
  const guide = (name, at, label) => ({ name, label, tone: "--guide", ink: "--soft", width: 1, radius: 0, rank: 2, points: at.map(([x, y]) => ({ x, y, title: counted(x, "thread"), words: `${name} at ${counted(x, "thread")}` })), fit: false });

  const hasSpeedup = (c) => c.curves.some((curve) => curve.points.some((p) => p.speedup > 0));
  const roofSeries = (c, value, words) => (c.roof.length ? [{
    name: "roof", label: "roof", tone: "--ink", dash: [1.5, 3], width: 1.4, radius: 0, glyph: "\u2508", rank: 2, fit: false,
    points: c.roof.map((r) => ({ x: r.threads, y: value(r), title: threadsTitle(r), words: `roof (${r.bound || "measured ceilings"}): ${words(value(r))} at most` })),
  }] : []);

  const ofCase = [
    {
      name: "speedup", title: "Speedup", note: "higher is better", toggle: true, table: "cells", when: hasSpeedup,
      caption: (c) => `Speedup over the best sequential version (${c.sequential ? time(c.sequential) : "each run\u2019s own"}) against threads. ${roundsOnAxis(c)} of paired rounds. Grey: ideal.${
        c.roof.length ? " Dotted: the most that the measured ceilings leave." : ""}${c.curves.some((k) => k.law.length) ? ` Bands: 95 % of the fitted law${c.best ? `, shown for ${c.best}` : ""}.` : ""}${c.peers.length ? " Grey, dashed: other libraries." : ""}`,
      spec: (c, linear) => {
        const counts = countsOf(c), last = counts[counts.length - 1];
        const laws = c.curves.filter((curve) => curve.law.length > 1).map((curve) => ({
          name: `law of ${curve.name}`, tone: curve.look.tone, band: curve.law, hidden: curve.name !== c.best, rank: 3, glyph: "\u2592",
        }));
        return {
          x: threadAxis(counts, linear),
          y: { title: "speedup", log: !linear, zero: true, include: [1, last, ...c.roof.map((r) => Math.min(r.speedup, 1.25 * last))], ticks: charts.powersOfTwo },
          verticals: data.limits, apart: 0.012,
          series: [guide("ideal", [...new Set([1, ...counts])].map((p) => [p, p]), "ideal"), ...roofSeries(c, (r) => r.speedup, times), ...laws,
            ...peersAs(c, (p) => c.sequential / p.ns, (p, v) => `${times(v)}, ${time(p.ns)}`),
            ...curvesAs(c, (p) => ({ y: p.speedup, low: p.speedupLow, high: p.speedupHigh }), (p) => `${times(p.speedup)}${bracket(p.speedupLow, p.speedupHigh, digits)}, ${time(p.ns)}, n = ${p.samples}`)],
        };
      },
    },
    {
      name: "efficiency", title: "Efficiency", note: "higher is better", toggle: true, table: "cells", when: hasSpeedup,
      caption: (c) => `Speedup divided by threads. ${roundsOnAxis(c)}.`,
      spec: (c, linear) => ({
        x: threadAxis(countsOf(c), linear), y: { title: "efficiency", zero: true, include: [0, 110], words: (v) => `${v} %` }, verticals: data.limits, apart: 0.012,
        horizontals: [100],
        series: curvesAs(c, (p) => ({ y: 100 * p.speedup / p.threads, low: p.speedupLow && 100 * p.speedupLow / p.threads, high: p.speedupHigh && 100 * p.speedupHigh / p.threads }),
          (p, v) => `${percent(v.y)}${bracket(v.low, v.high, (x) => x.toFixed(1))}, ${time(p.ns)}`),
      }),
    },
    {
      name: "time", title: "Time of one call", note: "lower is better", toggle: true, table: "cells", when: (c) => c.curves.length > 0,
      caption: (c) => `${roundsOnAxis(c)} by binomial ranks.${c.sequential ? " Grey: the sequential time divided by threads." : ""}`,
      spec: (c, linear) => {
        const counts = countsOf(c);
        const unit = unitOf(Math.min(...c.curves.flatMap((k) => k.points.map((p) => p.ns))));
        return {
          x: threadAxis(counts, linear), verticals: data.limits, apart: 0.012,
          y: { title: unit[0], log: !linear, zero: true, words: (v) => String(Number((v / unit[1]).toPrecision(4))), ticks: (low, high, log) => charts.roundValues(low / unit[1], high / unit[1], log).map((v) => v * unit[1]) },
          series: [...(c.sequential ? [guide("ideal", counts.map((p) => [p, c.sequential / p]), "ideal")] : []), ...peersAs(c, (p) => p.ns, (p) => `${time(p.ns)}${bracket(p.low, p.high, time)}`),
            ...curvesAs(c, (p) => ({ y: p.ns, low: p.low, high: p.high }), (p) => `${time(p.ns)}${bracket(p.low, p.high, time)}, n = ${p.samples}`)],
        };
      },
    },
    {
      name: "throughput", title: "Throughput", note: "higher is better", toggle: true, table: "cells", when: (c) => c.curves.length > 0 && c.work > 0,
      caption: (c) => `${c.unit === "FLOP/s" ? "Floating-point operations" : "Compulsory traffic"} of a call over its time. ${roundsOnAxis(c)}.${c.roof.length && c.sequential ? " Dotted: the most that the measured ceilings leave." : ""}`,
      spec: (c, linear) => {
        const per = (ns) => c.work / ns * 1e9;
        const [prefix, size] = prefixOf(per(Math.min(...c.curves.flatMap((k) => k.points.map((p) => p.ns)))));
        return {
          x: threadAxis(countsOf(c), linear), verticals: data.limits, apart: 0.012,
          y: { title: `${prefix}${c.unit}`, log: !linear, zero: true, words: (v) => String(Number((v / size).toPrecision(4))), ticks: (low, high, log) => charts.roundValues(low / size, high / size, log).map((v) => v * size) },
          series: [...(c.sequential ? roofSeries(c, (r) => per(c.sequential / r.speedup), (v) => rate(v, c.unit)) : []), ...peersAs(c, (p) => per(p.ns), (p, v) => rate(v, c.unit)),
            ...curvesAs(c, (p) => ({ y: per(p.ns), low: p.high && per(p.high), high: p.low && per(p.low) }), (p, v) => `${rate(v.y, c.unit)}${bracket(v.low, v.high, (x) => digits(x / prefixOf(v.y)[1]))}, ${time(p.ns)}`)],
        };
      },
    },
    {
      name: "karp-flatt", title: "Serial fraction (Karp\u2013Flatt)", note: "flat: serial; rising: overhead", toggle: true, table: "cells",
      when: (c) => c.curves.some((curve) => curve.points.filter((p) => Number.isFinite(p.karpFlatt) && p.karpFlatt !== null).length > 1),
      caption: () => "The share of the work that behaves as if it were serial, from the speedup at each thread count.",
      spec: (c, linear) => ({
        x: threadAxis(countsOf(c).filter((n) => n > 1), linear), y: { title: "serial fraction", include: [0] }, horizontals: [0], apart: 0.012,
        series: curvesAs(c, (p) => (p.karpFlatt === null || p.karpFlatt === undefined ? null : { y: p.karpFlatt }), (p) => `${Number(p.karpFlatt.toPrecision(3))}, speedup ${times(p.speedup)}`),
      }),
    },
    {
      name: "weak", title: "Weak scaling", note: "higher is better", toggle: true, table: "weak", when: (c) => c.weak.length > 0,
      caption: (c) => `The work grows with the threads${c.weak[0].rule ? ` (${c.weak[0].rule})` : ""}: rate of work over that of the sequential version at the base size. Medians with 95 % intervals. Grey: ideal.`,
      spec: (c, linear) => {
        const counts = [...new Set(c.weak.flatMap((curve) => curve.points.map((p) => p.threads)))].sort((a, b) => a - b);
        return {
          x: threadAxis(counts, linear), y: { title: "scaled speedup", log: !linear, zero: true, include: [1, counts[counts.length - 1]], ticks: charts.powersOfTwo }, verticals: data.limits, apart: 0.012,
          series: [guide("ideal", counts.map((n) => [n, n]), "ideal"), ...curvesAs({ curves: c.weak }, (p) => ({ y: p.speedup, low: p.speedupLow, high: p.speedupHigh }),
            (p) => `${times(p.speedup)}${bracket(p.speedupLow, p.speedupHigh, digits)}, ${time(p.ns)}${p.size ? ` at ${p.size}` : ""}, n = ${p.samples}`)],
        };
      },
    },
    {
      name: "rounds", title: "Round by round", note: "flat is better", table: "samples", when: (c) => c.rounds.length > 1 && c.curves.some((curve) => curve.samples.length),
      caption: () => `Each sample against the median of its cell, in the order of the rounds. A slope is drift of the machine, a lone column a disturbed round.${data.noise ? ` Hairlines: the noise floor, \u00b1${percent(100 * data.noise)}.` : ""}`,
      spec: (c) => {
        const last = c.rounds[c.rounds.length - 1], first = c.rounds[0];
        const every = Math.ceil((last - first + 1) / 15);
        return {
          x: { title: "round", limits: [first - 0.6, last + 0.6], ticks: Array.from({ length: last - first + 1 }, (_, i) => first + i).filter((n) => (n - first) % every === 0).map((n) => [n, String(n)]) },
          y: { title: "off the median", include: [-2, 2], words: (v) => `${v > 0 ? "+" : v < 0 ? "\u2212" : ""}${Number(Math.abs(v).toPrecision(3))} %` },
          horizontals: [0, ...(data.noise ? [100 * data.noise, -100 * data.noise] : [])],
          series: c.curves.map((curve, i) => ({
            name: curve.name, ...curve.look, line: false, radius: 2.4,
            points: curve.points.flatMap((p, k) => (curve.samples[k] || []).flatMap((ns, round) => {
              if (ns === null) return [];
              const off = 100 * (ns / p.ns - 1);
              return [{ x: c.rounds[round] + (i - (c.curves.length - 1) / 2) * 0.12, y: off, title: `round ${c.rounds[round]}, ${threadsTitle(p)}`, words: `${curve.name}: ${time(ns)}, ${off < 0 ? "\u2212" : "+"}${Math.abs(off).toFixed(1)} % of the median` }];
            })),
          })),
        };
      },
    },
  ];

  const roofline = (precision) => {
    const cases = data.cases.filter((c) => c.precision === precision && c.flops > 0 && c.intensity > 0 && c.sequential);
    const ceilings = data.ceilings.filter((one) => one[precision] > 0 && one.triad > 0);
    if (!cases.length || !ceilings.length) return [];
    return [{
      name: "roofline", title: `Roofline, ${precision}`, note: "higher is better", table: "ceilings",
      caption: () => "Arithmetic rate against intensity. Hollow: the best sequential version; filled: the best of all, numbered as in the table. Lines: ceilings measured at each thread count, register-only fused multiply-adds and triad bandwidth of memory; dashed: of the caches. Intensity counts compulsory traffic, so what fits in a cache may stand above the slope of memory.",
      spec: () => {
        const most = ceilings[ceilings.length - 1];
        const slopes = [...ceilings.map((one) => ({ name: counted(one.threads, "thread"), bandwidth: one.triad, peak: one[precision] })),
          ...most.caches.filter((cache) => cache.bandwidth > 0).map((cache) => ({ name: `L${cache.level}, ${counted(most.threads, "thread")}`, bandwidth: cache.bandwidth, peak: most[precision], cache: true }))];
        const at = cases.map((c) => c.intensity).concat(slopes.map((s) => s.peak / s.bandwidth));
        const low = Math.min(...at) / 1.6, high = Math.max(...at) * 1.8;
        const rates = cases.flatMap((c) => [c.flops / c.sequential, c.bestNs ? c.flops / c.bestNs : NaN]).filter(Number.isFinite).concat(slopes.map((s) => s.peak / 1e9));
        const bottom = Math.min(...rates) / 1.5;
        const shown = ceilings.length <= 5 ? () => true : (s) => [1, most.threads].some((n) => s.name === counted(n, "thread"));
        const line = (s) => {
          const ridge = s.peak / s.bandwidth, from = Math.max(low, bottom * 1e9 / s.bandwidth);
          return [[from, from * s.bandwidth / 1e9], [ridge, s.peak / 1e9], [high, s.peak / 1e9]].map(([x, y]) => ({
            x, y, title: s.name, words: `${rate(s.peak, "FLOP/s")} at most, ${rate(s.bandwidth, "B/s")} from ${s.cache ? s.name.slice(0, 2) : "memory"}` }));
        };
        return {
          x: { title: "FLOP per byte of compulsory traffic", log: true, limits: [low, high] }, y: { title: "GFLOP/s", log: true, limits: [bottom, Math.max(...rates) * 1.5] },
          series: [...slopes.map((s) => ({ name: s.name, label: !s.cache && shown(s) ? s.name : undefined, tone: "--guide", ink: "--soft", width: s.cache ? 1 : 1.3, dash: s.cache ? [4, 3] : [], radius: 0, rank: 2, points: line(s), mute: !s.cache && !shown(s) })),
            ...cases.flatMap((c) => {
              const both = [["sequential", c.sequential, true], [`${c.best}, ${counted(c.bestThreads, "thread")}`, c.bestNs, false]].filter(([, ns]) => ns > 0);
              return [{ name: c.name, tag: String(data.cases.indexOf(c) + 1), ...lookOf(c.best || "sequential"), dash: [], width: 0.8, mute: true, radius: 4,
                points: both.map(([who, ns, hollow]) => ({ x: c.intensity, y: c.flops / ns, hollow, title: c.name, words: `${who}: ${rate(c.flops / ns * 1e9, "FLOP/s")}, ${time(ns)}` })) }];
            })],
        };
      },
    }];
  };

  const crossover = () => (data.crossovers.length ? [{
    name: "crossover", title: "From which size on parallel pays", note: "above the line it does", table: "crossovers",
    caption: () => "The best speedup of each case against its sequential time, one curve a kernel. Filled: surely faster than sequential; hollow: not, or the intervals don\u2019t say. 95 % intervals.",
    spec: () => {
      const rows = data.crossovers.flatMap((k) => k.points.filter((p) => p.sequential > 0 && p.speedup > 0));
      return {
        x: { title: "time of the best sequential version", log: true, words: time, ticks: (low, high) => charts.roundValues(low, high, true) },
        y: { title: "best speedup", log: true, include: [0.9, 1.2], ticks: charts.powersOfTwo }, horizontals: [1],
        series: data.crossovers.map((k, i) => ({
          name: k.name, label: data.crossovers.length <= 6 ? k.name : undefined, ...numbered(i),
          points: k.points.filter((p) => rows.includes(p)).map((p) => ({ x: p.sequential, y: p.speedup, low: p.low, high: p.high, hollow: p.pays !== true, title: p.name,
            words: `${times(p.speedup)}${bracket(p.low, p.high, digits)} over ${time(p.sequential)}: ${p.pays === true ? "pays" : p.pays === false ? "does not pay" : "the intervals don\u2019t say"}` })),
        })).filter((series) => series.points.length),
      };
    },
  }] : []);

  // The embedded data, with names for what stands there by position.
  const pointOf = ([threads, samples, ns, low, high, speedup, speedupLow, speedupHigh, karpFlatt, size]) => ({ threads, samples, ns, low, high, speedup, speedupLow, speedupHigh, karpFlatt, size });
  for (const c of data.cases) {
    for (const list of [c.curves, c.weak])
      list.forEach((curve) => Object.assign(curve, { points: curve.points.map(pointOf), look: curve.run === undefined ? lookOf(curve.name) : numbered(curve.run) }));
    c.peers.forEach((peer, i) => Object.assign(peer, { points: peer.points.map(([threads, ns, low, high]) => ({ threads, ns, low, high })), look: peerLook(i) }));
    c.roof = c.roof.map(([threads, speedup, bound]) => ({ threads, speedup, bound }));
    Object.assign(c, c.flops > 0 ? { work: c.flops, unit: "FLOP/s" } : { work: c.bytes, unit: "B/s" });
  }
  for (const k of data.crossovers) k.points = k.points.map(([name, size, sequential, speedup, low, high, pays]) => ({ name, size, sequential, speedup, low, high, pays }));

  const tableLink = (id) => {
    const table = document.getElementById(id);
    if (!table) return [];
    const link = element("a", { href: `#${id}` }, "Table");
    link.addEventListener("click", () => { table.open = true; });
    return [link];
  };

  const figures = [];
  const addFigure = (box, kind, c, tables) => {
    const of = c ? ` of ${c.name}` : "";
    const toggle = kind.toggle ? [element("button", { type: "button", class: "linear", "aria-pressed": "false" }, "Linear")] : [];
    const canvas = element("canvas", { role: "img", tabindex: "0", "aria-label": `${kind.title}${of}. Arrow keys go through the values; all of them are in the table.` });
    const figure = element("figure", { class: `chart ${kind.name}` },
      element("div", { class: "head" }, element(c ? "h4" : "h3", {}, kind.title), element("span", {}, kind.note), ...toggle, ...tableLink(`${tables}${kind.table}`)),
      element("div", { class: "legend", role: "group", "aria-label": `Curves shown in ${kind.title}${of}` }), element("div", { class: "plot" }, canvas),
      element("figcaption", {}, kind.caption(c)));
    Object.assign(figure, { kind, c, canvas, linear: false, toggled: new Map() });
    for (const button of toggle)
      button.addEventListener("click", () => {
        figure.linear = !figure.linear;
        button.setAttribute("aria-pressed", String(figure.linear));
        draw(figure);
      });
    box.append(figure);
    figures.push(figure);
  };

  const legend = (figure, groups) => {
    const box = figure.querySelector(".legend");
    const focused = all("button", box).indexOf(document.activeElement);
    box.replaceChildren(...[...groups].sort((a, b) => a.rank - b.rank).map(({ name, glyph, tone, sets, hidden }) => {
      const mark = element("i", { "aria-hidden": "true" }, glyph);
      mark.style.color = tone;
      const button = element("button", { type: "button", "aria-pressed": String(!hidden) }, mark, name);
      button.addEventListener("click", () => {
        const show = button.getAttribute("aria-pressed") === "false";
        button.setAttribute("aria-pressed", String(show));
        figure.toggled.set(name, show);
        for (const i of sets) figure.chart.setDatasetVisibility(i, show);
        figure.chart.update();
      });
      return button;
    }));
    if (focused >= 0) all("button", box)[focused]?.focus();
  };

  const draw = (figure) => {
    figure.chart?.destroy();
    const spec = figure.kind.spec(figure.c, figure.linear);
    for (const series of spec.series) if (figure.toggled.has(series.name)) series.hidden = !figure.toggled.get(series.name);
    const { chart, groups } = charts.draw(figure.canvas, spec, say);
    figure.chart = chart;
    legend(figure, groups);
  };

  if (window.Chart) {
    for (const box of all("div.charts[data-case]")) {
      const c = data.cases[Number(box.dataset.case)];
      const kinds = ofCase.filter((kind) => kind.when(c));
      // The strip of rounds fills what the charts before it leave of the grid.
      box.classList.add(`of-${kinds.length}`);
      for (const kind of kinds) addFigure(box, kind, c, `${c.id}-`);
    }
    for (const box of all("div.charts[data-run]"))
      for (const kind of [...crossover(), ...roofline("f32"), ...roofline("f64")]) addFigure(box, kind, null, "run-");
  }

  // Only what comes near the window is drawn, so that a page of many cases opens at once.
  const margin = 600;
  const observer = window.IntersectionObserver && new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        observer.unobserve(target);
        if (!target.chart) draw(target);
      }
  }, { rootMargin: `${margin}px` });

  // Raw samples as CSV.
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);
  const samplesOf = (c) => [...c.curves.map((curve) => ["strong", curve]), ...c.peers.map((peer) => ["peer", peer]), ...c.weak.map((curve) => ["weak", curve])]
    .flatMap(([kind, curve]) => curve.points.flatMap((p, k) => (curve.samples[k] || []).flatMap((ns, i) => (ns === null ? [] : [[kind, curve.name, p.threads, c.rounds[i], ns]]))));
  const csvOf = (c) => ["case,kind,model,threads,round,ns", ...samplesOf(c).map(([kind, name, ...rest]) => [quoted(c.name), kind, quoted(name), ...rest].join(","))].join("\n") + "\n";
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); return true; } catch { /* not allowed here: by a selection, as browsers did before */ }
    const area = element("textarea", { class: "hidden", "aria-hidden": "true", tabindex: "-1" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  };
  const saidOn = (button, words) => {
    const before = button.dataset.words ??= button.textContent;
    button.textContent = words;
    say(words);
    setTimeout(() => { button.textContent = before; }, 2000);
  };
  for (const box of all("p.actions")) {
    const c = data.cases[Number(box.dataset.case)];
    if (!samplesOf(c).length) continue;
    const copying = element("button", { type: "button" }, "Copy CSV"), saving = element("button", { type: "button" }, "Save CSV");
    copying.addEventListener("click", async () => saidOn(copying, await copy(csvOf(c)) ? "Copied" : "Copying isn\u2019t allowed here"));
    saving.addEventListener("click", () => {
      const url = URL.createObjectURL(new Blob([csvOf(c)], { type: "text/csv" }));
      const link = element("a", { href: url, download: `${c.id.replace(/^case-/, "")}_samples.csv` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      saidOn(saving, "Saved");
    });
    box.append(copying, saving);
  }
  // Their table is written when it is opened: most readers don't, and it is long.
  const fillSamples = (box) => {
    const c = data.cases[Number(box.dataset.case)], body = box.querySelector("tbody");
    if (body.children.length) return;
    const cells = new Map();
    for (const [kind, name, threads, round, ns] of samplesOf(c)) {
      const key = `${kind} ${name} ${threads}`;
      if (!cells.has(key)) cells.set(key, { title: kind === "weak" ? `${name}, weak` : name, threads, from: round, samples: [] });
      cells.get(key).samples.push(ns);
    }
    for (const { title, threads, from, samples } of cells.values()) {
      const [unit, size] = unitOf(Math.min(...samples));
      body.append(element("tr", {}, element("th", { scope: "row" }, title), element("td", {}, String(threads)), element("td", {}, unit), element("td", {}, String(from)),
        element("td", { class: "words" }, samples.map((ns) => digits(ns / size)).join("  "))));
    }
  };
  for (const box of all("details.samples")) {
    box.hidden = !samplesOf(data.cases[Number(box.dataset.case)]).length;
    box.addEventListener("toggle", () => { if (box.open) fillSamples(box); });
  }

  // The filter: words that a case's name must hold, all of them.
  const field = document.getElementById("filter");
  if (field) {
    const items = all("[data-name]");
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const item of items) {
        item.hidden = !words.every((word) => item.dataset.name.toLowerCase().includes(word));
        shown += !item.hidden && item.matches("article");
      }
      for (const group of all("tbody.group")) group.hidden = !all("tr[data-name]", group).some((row) => !row.hidden);
      document.getElementById("filtered").textContent = words.length ? `${counted(shown, "case")} of ${all("article[data-name]").length}` : "";
    };
    field.addEventListener("input", apply);
    field.closest(".filter").hidden = false;
    window.addEventListener("hashchange", () => {
      const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (!target || !target.closest("[data-name][hidden]")) return;
      field.value = "";
      apply();
      target.scrollIntoView();
    });
  }

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
  for (const figure of figures)
    if (!observer || figure.getBoundingClientRect().top < window.innerHeight + margin) draw(figure); else observer.observe(figure);
  // Charts have given the page its height only now.
  if (asked && document.getElementById(decodeURIComponent(asked))) document.getElementById(decodeURIComponent(asked)).scrollIntoView();
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(button.dataset.theme) + 1) % themes.length];
    try { localStorage.setItem("speedwell-theme", next); } catch { /* a page from disk may have no storage */ }
    setTheme(next);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (button.dataset.theme === "system") setTheme("system"); });

  // On paper: every chart a picture of a size to read, every table open, dark ink.
  const opened = [];
  let before = "system";
  window.addEventListener("beforeprint", () => {
    before = button.dataset.theme;
    setTheme("light");
    for (const box of all("details:not([open])")) { box.open = true; opened.push(box); }
    all("details.samples").forEach(fillSamples);
    for (const figure of figures) {
      if (!figure.chart) draw(figure);
      figure.chart.resize(...(figure.matches(".rounds, .roofline, .crossover") ? [680, 230] : figure.matches(".speedup") ? [340, 340] : [340, 220]));
      figure.canvas.after(element("img", { class: "printed", alt: `${figure.kind.title}; the numbers are in the table`, src: figure.chart.toBase64Image() }));
    }
  });
  window.addEventListener("afterprint", () => {
    all("img.printed").forEach((image) => image.remove());
    for (const box of opened.splice(0)) box.open = false;
    setTheme(before);
  });
})();
