// SPDX-License-Identifier: Apache-2.0
"use strict";
// Draws one chart from a description in real units; knows nothing of runs and cases.
//
//   {x, y: {title, log, ticks: [[value, words]] or a function of (low, high, log), include: [values that must be seen],
//           zero: whether a linear axis begins there, limits: [low, high] instead of what the points need},
//    series: [{name, tone, point, glyph, dash, width, radius, hidden, rank, label: words at its end, tag: at its last point,
//              band: [[x, value, low, high]] or points: [{x, y, low, high, hollow, title, words}]}],
//    verticals: [[x, words]], horizontals: [y], hover: what a point's title says}
const charts = (() => {
  const root = document.documentElement;
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const faded = (hex, alpha) => {
    const n = parseInt(hex.slice(1), 16);
    return `rgba(${n >> 16}, ${(n >> 8) & 255}, ${n & 255}, ${alpha})`;
  };
  const family = () => getComputedStyle(document.body).fontFamily;

  // Round values for an axis, as in the static plots.
  const roundValues = (low, high, log) => {
    const out = [];
    if (log && high / low >= 12) {
      const steps = high / low > 2000 ? [1] : high / low > 60 ? [1, 3] : [1, 2, 5];
      for (let d = Math.floor(Math.log10(low)); d <= Math.ceil(Math.log10(high)); ++d)
        for (const step of steps) out.push(step * 10 ** d);
    } else {
      const ideal = (high - low) / 5;
      const decade = 10 ** Math.floor(Math.log10(ideal));
      const step = decade * [1, 2, 5, 10].find((s) => s * decade >= ideal * 0.999);
      for (let i = Math.ceil(low / step); i * step <= high * 1.0001; ++i) out.push(i * step);
    }
    return out.filter((v) => v >= low * 0.999 && v <= high * 1.001).map((v) => Number(v.toPrecision(6)));
  };
  const powersOfTwo = (low, high, log) => {
    if (!log || high / low < 5) return roundValues(low, high, false);
    const out = [];
    for (let v = 2 ** Math.ceil(Math.log2(low)); v <= high; v *= 2) out.push(v);
    return out;
  };

  // Moves [{at}] apart so that neighbours are `gap` pixels from each other and all are within [low, high].
  const spread = (labels, gap, low, high) => {
    labels.sort((a, b) => a.at - b.at);
    let least = low;
    for (const label of labels) { label.at = Math.max(label.at, least); least = label.at + gap; }
    let most = high;
    for (const label of [...labels].reverse()) { label.at = Math.min(label.at, most); most = label.at - gap; }
  };

  // What Chart.js lacks: whiskers, names at the ends of curves, and hairlines where the machine's cores or quota end.
  const marks = {
    id: "marks",
    beforeDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales: { x, y } } = chart;
      const { verticals, horizontals } = chart.options.plugins.marks;
      ctx.save();
      ctx.font = `11px ${family()}`;
      ctx.strokeStyle = color("--guide");
      ctx.setLineDash([2, 3]);
      const hairline = (x1, y1, x2, y2) => { ctx.beginPath(); ctx.moveTo(x1, y1); ctx.lineTo(x2, y2); ctx.stroke(); };
      for (const at of horizontals) {
        const py = y.getPixelForValue(at);
        if (py >= area.top && py <= area.bottom) hairline(area.left, py, area.right, py);
      }
      for (const [at, words] of verticals) {
        if (at < x.min || at > x.max) continue;
        const px = x.getPixelForValue(at);
        hairline(px, area.top, px, area.bottom);
        // Named where the curves that end there leave most room.
        const ends = chart.getSortedVisibleDatasetMetas().flatMap((meta) => meta.data.slice(-1)).filter((end) => Math.abs(end.x - px) < 20).map((end) => end.y);
        const half = ctx.measureText(words).width / 2;
        const room = (middle) => Math.min(half + 12, ...ends.map((end) => Math.abs(end - middle)));
        const middle = [area.bottom - half - 6, area.top + half + 6, (area.top + area.bottom) / 2].reduce((a, b) => (room(b) > room(a) ? b : a));
        ctx.save();
        ctx.translate(px - 4, middle);
        ctx.rotate(-Math.PI / 2);
        ctx.textAlign = "center";
        ctx.fillStyle = color("--soft");
        ctx.fillText(words, 0, 0);
        ctx.restore();
      }
      ctx.restore();
    },
    afterDatasetsDraw(chart) {
      const { ctx, chartArea: area, scales: { x, y } } = chart;
      ctx.save();
      ctx.font = `11px ${family()}`;
      ctx.textBaseline = "middle";
      const labels = [];
      chart.data.datasets.forEach((set, i) => {
        if (!set.direct || !chart.isDatasetVisible(i) || !set.data.length) return;
        const end = set.data[set.data.length - 1];
        // Of a curve that ends far from the edge, the legend says enough.
        const py = y.getPixelForValue(end.y);
        if (x.getPixelForValue(end.x) < (area.left + area.right) / 2 || py < area.top - 4 || py > area.bottom + 4) return;
        labels.push({ words: set.direct, tone: set.ink, at: py, from: [x.getPixelForValue(end.x), py] });
      });
      // A tag stands beside the last point, below those that are there already.
      const taken = [];
      chart.data.datasets.forEach((set, i) => {
        if (!set.tag || !chart.isDatasetVisible(i) || !set.data.length) return;
        const end = set.data[set.data.length - 1], px = x.getPixelForValue(end.x) + 7;
        let py = y.getPixelForValue(end.y);
        while (taken.some(([otherX, otherY]) => Math.abs(otherX - px) < 16 && Math.abs(otherY - py) < 11)) py += 11;
        taken.push([px, py]);
        ctx.fillStyle = color("--ink");
        ctx.fillText(set.tag, px, py);
      });
      spread(labels, 13, area.top + 4, area.bottom - 4);
      for (const { words, tone, at, from } of labels) {
        ctx.fillStyle = tone;
        ctx.fillText(words, area.right + 7, at);
        if (Math.abs(at - from[1]) > 7 || area.right - from[0] > 24) {
          ctx.strokeStyle = faded(color("--guide"), 0.6);
          ctx.lineWidth = 0.6;
          ctx.beginPath();
          ctx.moveTo(from[0] + 5, from[1]);
          ctx.lineTo(area.right + 4, at);
          ctx.stroke();
        }
      }
      ctx.beginPath();
      ctx.rect(area.left, area.top - 4, area.right - area.left, area.bottom - area.top + 8);
      ctx.clip();
      ctx.lineWidth = 1.2;
      chart.data.datasets.forEach((set, i) => {
        if (!set.whiskers || !chart.isDatasetVisible(i)) return;
        ctx.strokeStyle = set.borderColor;
        for (const point of set.data) {
          if (point.low === undefined) continue;
          const px = x.getPixelForValue(point.x), low = y.getPixelForValue(point.low), high = y.getPixelForValue(point.high);
          ctx.beginPath();
          ctx.moveTo(px - 3, low); ctx.lineTo(px + 3, low);
          ctx.moveTo(px, low); ctx.lineTo(px, high);
          ctx.moveTo(px - 3, high); ctx.lineTo(px + 3, high);
          ctx.stroke();
        }
      });
      ctx.restore();
    },
  };

  const range = (axis, values, log) => {
    if (axis.limits) return axis.limits;
    const seen = values.concat(axis.include || []).filter((v) => Number.isFinite(v) && (!log || v > 0));
    let low = Math.min(...seen), high = Math.max(...seen);
    if (!seen.length) return [0.5, 2];
    if (log) {
      const grow = Math.max((Math.log2(high) - Math.log2(low)) * 0.05, 0.06);
      return [low * 2 ** -grow, high * 2 ** grow];
    }
    if (axis.zero && low >= 0) return [0, high * 1.05];
    const grow = (high - low || Math.abs(high) || 1) * 0.06;
    return [low - grow, high + grow];
  };

  const scaleOf = (axis, values) => {
    const { log } = axis, [low, high] = range(axis, values, log);
    const to = log ? Math.log2 : (v) => v;
    const words = axis.words || String;
    const given = typeof axis.ticks === "function" ? axis.ticks(low, high, log) : axis.ticks || roundValues(low, high, log);
    const ticks = given.map((tick) => (Array.isArray(tick) ? tick : [tick, words(tick)]));
    return { to, low: to(low), high: to(high), labels: new Map(ticks.map(([value, text]) => [to(value), text])) };
  };

  const axisOptions = (scale, axis) => {
    const soft = color("--soft");
    return {
      type: "linear", min: scale.low, max: scale.high, grid: { color: color("--faint"), borderColor: color("--guide"), tickLength: 4 },
      afterBuildTicks: (built) => { built.ticks = [...scale.labels.keys()].map((value) => ({ value })); },
      ticks: { color: soft, maxRotation: 0, autoSkip: true, autoSkipPadding: 5, font: { size: 11 }, callback: (value) => scale.labels.get(value) ?? "" },
      title: { display: Boolean(axis.title), text: axis.title, color: soft, font: { size: 11 }, padding: 2 },
    };
  };

  const dataset = (series, data, extra) => {
    const tone = color(series.tone);
    return Object.assign({
      label: series.name, data, parsing: false, hidden: series.hidden, borderColor: tone, backgroundColor: tone, ink: series.ink ? color(series.ink) : tone,
      direct: series.label, tag: series.tag, showLine: series.line !== false, whiskers: true, borderWidth: series.width ?? 1.8, borderDash: series.dash || [],
      pointStyle: series.point || "circle", pointRadius: series.radius ?? 3.5, pointHoverRadius: series.radius === 0 ? 0 : (series.radius ?? 3.5) + 2,
      pointBackgroundColor: data.map((p) => (p.hollow ? color("--paper") : tone)), pointBorderWidth: 1.2,
    }, extra);
  };

  const config = (spec) => {
    const points = spec.series.flatMap((s) => s.points || []);
    const fitted = spec.series.filter((s) => s.fit !== false).flatMap((s) => s.points || []);
    const x = scaleOf(spec.x, points.map((p) => p.x));
    const y = scaleOf(spec.y, fitted.flatMap((p) => [p.y, p.low, p.high].filter((v) => v !== undefined && v !== null)));
    const span = x.high - x.low;
    const beside = spec.series.filter((s) => s.points && !s.aside && s.radius !== 0);
    const sets = [], groups = [];
    for (const series of spec.series) {
      const first = sets.length;
      if (series.band) {
        const tone = color(series.tone);
        const edge = (k, extra) => dataset(series, series.band.map((p) => ({ x: x.to(p[0]), y: y.to(p[k]) })), Object.assign(
          { backgroundColor: faded(tone, 0.15), pointRadius: 0, pointHoverRadius: 0, whiskers: false, borderDash: [], direct: undefined }, extra));
        sets.push(edge(2, { borderWidth: 0, fill: "+1" }), edge(3, { borderWidth: 0 }), edge(1, { borderWidth: 1 }));
      } else {
        // Points of several series at one place are set beside each other.
        const side = spec.apart && beside.includes(series) ? (beside.indexOf(series) - (beside.length - 1) / 2) * spec.apart * span : 0;
        const data = series.points.filter((p) => Number.isFinite(p.y) && (!spec.y.log || p.y > 0)).map((p) => {
          const out = { x: x.to(p.x) + side, y: y.to(p.y), of: p, hollow: p.hollow };
          if (p.low > 0 || (!spec.y.log && Number.isFinite(p.low))) Object.assign(out, { low: y.to(p.low), high: y.to(p.high) });
          return out;
        });
        sets.push(dataset(series, data));
      }
      if (!series.mute)
        groups.push({ name: series.name, glyph: series.glyph || "\u2500", tone: color(series.tone), hidden: series.hidden, rank: series.rank || 0, sets: Array.from({ length: sets.length - first }, (_, i) => first + i) });
    }
    const context = document.createElement("canvas").getContext("2d");
    context.font = `11px ${family()}`;
    const widest = Math.max(0, ...spec.series.filter((s) => s.label && !s.hidden).map((s) => context.measureText(s.label).width));
    const ink = color("--ink");
    const options = {
      responsive: true, maintainAspectRatio: false, animation: false, normalized: true, devicePixelRatio: Math.max(window.devicePixelRatio || 1, 1.5),
      font: { family: family() }, layout: { padding: { right: widest ? widest + 10 : 6, top: 6 } },
      interaction: { mode: "nearest", intersect: false, axis: "xy" },
      scales: { x: axisOptions(x, spec.x), y: axisOptions(y, spec.y) },
      plugins: {
        legend: { display: false },
        marks: { verticals: (spec.verticals || []).map(([at, words]) => [x.to(at), words]), horizontals: (spec.horizontals || []).map(y.to) },
        tooltip: {
          filter: (item) => item.raw.of !== undefined && item.raw.of.words !== undefined, displayColors: false, backgroundColor: color("--panel"), titleColor: ink, bodyColor: ink,
          borderColor: color("--guide"), borderWidth: 1, cornerRadius: 4, titleFont: { size: 12 }, bodyFont: { size: 12 },
          callbacks: { title: (items) => (items.length ? items[0].raw.of.title || "" : ""), label: (item) => item.raw.of.words },
        },
      },
    };
    return { config: { type: "line", data: { datasets: sets }, options, plugins: [marks] }, groups };
  };

  // Arrow keys go through the values: left and right along a curve, up and down from curve to curve.
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  const listen = (canvas, chart, say) => {
    canvas.onkeydown = (event) => {
      const speaking = chart.data.datasets.map((set, i) => i).filter((i) => chart.isDatasetVisible(i) && chart.data.datasets[i].data.some((p) => p.of && p.of.words));
      if (event.key === "Escape") { chart.setActiveElements([]); chart.tooltip.setActiveElements([], { x: 0, y: 0 }); chart.update(); return; }
      if (!steps[event.key] || !speaking.length) return;
      event.preventDefault();
      const [across, along] = steps[event.key];
      const now = chart.getActiveElements()[0];
      let row = now ? speaking.indexOf(now.datasetIndex) : -1, index = now ? now.index : 0;
      if (row < 0) { row = 0; index = 0; } else {
        row = (row + across + speaking.length) % speaking.length;
        index = Math.min(Math.max(index + along, 0), chart.data.datasets[speaking[row]].data.length - 1);
      }
      const active = [{ datasetIndex: speaking[row], index }];
      const { of } = chart.data.datasets[speaking[row]].data[index];
      const { x, y } = chart.getDatasetMeta(speaking[row]).data[index];
      chart.setActiveElements(active);
      chart.tooltip.setActiveElements(active, { x, y });
      chart.update();
      say(`${of.title ? `${of.title}: ` : ""}${of.words}`);
    };
  };

  const draw = (canvas, spec, say) => {
    const { config: made, groups } = config(spec);
    const chart = new Chart(canvas, made);
    listen(canvas, chart, say);
    return { chart, groups };
  };

  return { draw, roundValues, powersOfTwo };
})();
