// SPDX-License-Identifier: Apache-2.0
// The timelines of `speedwell models`: one lane a thread or process, one bar a stretch of a task.
(() => {
  const models = JSON.parse(document.getElementById('data').textContent).models;
  if (!models) return;
  const svgSpace = 'http://www.w3.org/2000/svg';
  const colors = 6;
  const make = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const shape = (tag, attributes) => {
    const made = document.createElementNS(svgSpace, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const say = (words) => {
    document.getElementById('said').textContent = words;
  };
  const time = (us) =>
      (us < 1000 ? `${us} \u00b5s` :
           us < 1e6 ? `${(us / 1000).toPrecision(3)} ms` :
                      `${(us / 1e6).toPrecision(3)} s`);
  const state = {pinned: false, whole: false};

  const tip = make('p', {class: 'tip', hidden: ''});
  document.body.append(tip);
  const showTip = (event, words) => {
    tip.textContent = words;
    tip.hidden = false;
    const right = event.clientX + 14 + tip.offsetWidth > window.innerWidth;
    tip.style.left = `${event.clientX + (right ? -tip.offsetWidth - 10 : 14)}px`;
    tip.style.top = `${event.clientY + 16}px`;
  };
  const wordsOf = ([task, begin, length, cpu]) =>
      `task ${task} ${cpu ? 'computes' : 'waits'}: ${time(length)}, from ${time(begin)} on`;

  // All bars of one task stand out, in all techniques of the nature.
  const standOut = (box, task) => {
    for (const bar of box.querySelectorAll('rect[data-i]'))
      bar.classList.toggle('dim', task !== null && bar.dataset.task !== String(task));
  };

  const roundTicks = (end) => {
    const ideal = end / 6, decade = 10 ** Math.floor(Math.log10(ideal));
    const step = [1, 2, 5, 10].map((factor) => factor * decade).find((candidate) => candidate >= ideal * 0.999);
    return Array.from({length: Math.floor(end / step + 1e-9) + 1}, (_, i) => i * step);
  };

  const picture = (box, row, shown) => {
    const cut = row.wall > shown * 1.001;
    const svg = shape('svg', {
      viewBox: `0 0 ${shown} ${row.height}`,
      preserveAspectRatio: 'none',
      role: 'img',
      tabindex: '0',
      'aria-label': `${row.title}: ${row.workers}, at most ${row.inFlight} of ${models.tasks} tasks in flight, ${
          row.time}${cut ? ', runs out of the picture' : ''}. Arrow keys go through the tasks.`
    });
    svg.style.height = `${row.height}px`;
    for (const [top, height] of row.lanes)
      svg.append(shape('rect', {class: 'lane', x: 0, y: top, width: shown, height}));
    row.bars.forEach(([task, begin, length, cpu, top, height], i) => {
      if (begin >= shown) return;
      svg.append(shape('rect', {
        class: `t${task % colors} ${cpu ? 'cpu' : 'wait'}`,
        x: begin,
        y: top,
        width: Math.min(length, shown - begin),
        height,
        'data-i': i,
        'data-task': task
      }));
    });
    svg.addEventListener('pointermove', (event) => {
      const bar = event.target.dataset.i === undefined ? null : row.bars[event.target.dataset.i];
      standOut(box, bar ? bar[0] : null);
      if (bar)
        showTip(event, wordsOf(bar));
      else
        tip.hidden = true;
    });
    svg.addEventListener('pointerleave', () => {
      standOut(box, null);
      tip.hidden = true;
    });
    let at = -1;
    svg.addEventListener('keydown', (event) => {
      const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
      if (!step) return;
      event.preventDefault();
      at = (at + step + models.tasks) % models.tasks;
      standOut(box, at);
      const bars = row.bars.filter(([task]) => task === at);
      const sum = (kind) => bars.filter((bar) => bar[3] === kind).reduce((all, bar) => all + bar[2], 0);
      say(`Task ${at}: waits ${time(sum(0))}, computes ${time(sum(1))}`);
    });
    svg.addEventListener('blur', () => {
      at = -1;
      standOut(box, null);
    });
    return svg;
  };

  const draw = (box) => {
    const nature = models.natures[Number(box.dataset.nature)];
    const rows = nature.rows.filter((row) => row.pinned === state.pinned && row.bars.length);
    const shown = state.whole ? Math.max(...rows.map((row) => row.wall)) : nature.shown[state.pinned ? 1 : 0];
    box.replaceChildren(...rows.map(
        (row) => make(
            'div', {class: 'timeline'}, make('p', {class: 'who'}, row.title, ' ', make('small', {}, row.workers)),
            make('div', {class: row.wall > shown * 1.001 ? 'lanes cut' : 'lanes'}, picture(box, row, shown)),
            make('p', {class: 'took'}, row.time, ' ', make('small', {}, row.speedup)))));
    if (!rows.length) {
      box.append(
          make('p', {class: 'facts'}, state.pinned ? 'Not measured on one core.' : 'Only measured on one core.'));
      return;
    }
    const axis = make('div', {class: 'lanes axis', 'aria-hidden': 'true'});
    for (const tick of roundTicks(shown / 1000)) {
      const label = make('span', {}, `${Number(tick.toPrecision(6))}`);
      label.style.left = `${100 * tick * 1000 / shown}%`;
      axis.append(label);
    }
    box.append(make(
        'div', {class: 'timeline'}, make('p', {class: 'who'}), axis,
        make('p', {class: 'took'}, make('small', {}, 'ms'))));
  };

  // Only what comes near the window is drawn.
  const margin = 800;
  const boxes = [...document.querySelectorAll('div.timelines')];
  const drawn = new Set();
  const drawOnce = (box) => {
    drawn.add(box);
    draw(box);
  };
  const observer = window.IntersectionObserver && new IntersectionObserver((entries) => {
                     for (const {isIntersecting, target} of entries)
                       if (isIntersecting) {
                         observer.unobserve(target);
                         drawOnce(target);
                       }
                   }, {rootMargin: '800px'});
  for (const box of boxes)
    if (observer)
      observer.observe(box);
    else
      drawOnce(box);
  window.addEventListener('beforeprint', () => {
    for (const box of boxes)
      if (!drawn.has(box)) drawOnce(box);
  });

  const controls = document.querySelector('.timeline-controls');
  const toggle = (name, words) => {
    const button = make('button', {type: 'button', 'aria-pressed': 'false'}, words);
    button.addEventListener('click', () => {
      state[name] = !state[name];
      button.setAttribute('aria-pressed', String(state[name]));
      for (const box of drawn) draw(box);
    });
    return button;
  };
  if (models.natures.some((nature) => nature.rows.some((row) => row.pinned)))
    controls.append(toggle('pinned', 'On one core'));
  controls.append(toggle('whole', 'To the end of the slowest'));
  controls.hidden = false;
})();
