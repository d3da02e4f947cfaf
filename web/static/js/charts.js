// Charts of the product's own figures: uPlot, with a cursor for the keyboard. The numbers also stand in a table. Figures
// are measured once a minute, and so often charts look for new ones, unless updates are paused.

import uPlot from "../vendor/uplot-1.6.32.esm.js";

const WIDTHS = [0, 6, 3, 9];
const REFRESH = 60000;
const drawn = new Map();

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { text: of("--text-2"), grid: of("--line"), lines: [of("--accent"), of("--bad"), of("--warn"), of("--focus")] };
}

function clock(seconds) {
  return new Date((seconds + 8 * 3600) * 1000).toISOString().slice(5, 16).replace("T", " ");
}

function draw(plot) {
  let { names, times, values } = JSON.parse(plot.dataset.chart);
  if (times.length === 0) return;
  const look = colours();
  const said = plot.parentElement.querySelector(".at");
  const axis = { stroke: look.text, grid: { stroke: look.grid, width: 1 }, ticks: { stroke: look.grid } };
  const chart = new uPlot(
    {
      width: plot.clientWidth,
      height: 220,
      legend: { live: false },
      cursor: { drag: { x: false, y: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Asia/Shanghai"),
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
      axes: [{ ...axis, values: (_, splits) => splits.map((at) => clock(at).slice(times[times.length - 1] - times[0] > 86400 ? 0 : 6)), space: 70, incrs: [60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400] }, axis],
      series: [
        {},
        // Told apart by dashes too, not by colour alone.
        ...names.map((label, place) => ({
          label,
          stroke: look.lines[place % look.lines.length],
          width: 2,
          dash: place === 0 ? undefined : [WIDTHS[place % WIDTHS.length], 4],
          points: { show: times.length < 3 },
        })),
      ],
    },
    [times, ...values],
    plot,
  );
  let place = times.length - 1;
  const point = () => {
    chart.setCursor({ left: chart.valToPos(times[place], "x"), top: 10 });
    const told = names.map((name, line) => `${name} ${values[line][place] ?? "—"}`).join(" · ");
    said.textContent = `${clock(times[place])} · ${told}`;
  };
  plot.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -times.length, End: times.length };
    const by = moves[event.key];
    if (by === undefined) return;
    event.preventDefault();
    place = Math.min(times.length - 1, Math.max(0, place + by));
    point();
  });
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: 220 })).observe(plot);
  drawn.set(plot, (data) => {
    ({ names, times, values } = JSON.parse(data));
    place = times.length - 1;
    chart.setData([times, ...values]);
  });
}

/** Takes over the numbers of the page as it is now; a chart or table that somebody is in stays as it is. */
async function refresh() {
  if (sessionStorage.getItem("greenlane-ops-paused") === "yes") return;
  const answer = await fetch(location.href.split("#")[0], { headers: { "x-background": "1", accept: "text/html" }, cache: "no-store" });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const plot of document.querySelectorAll("[data-chart]")) {
    const section = plot.parentElement;
    const fresh = page.getElementById(plot.id);
    if (!fresh || section.contains(document.activeElement)) continue;
    plot.dataset.chart = fresh.dataset.chart;
    if (drawn.has(plot)) drawn.get(plot)(fresh.dataset.chart);
    else draw(plot);
    section.querySelector(".summary").textContent = fresh.parentElement.querySelector(".summary").textContent;
    if (!section.querySelector("details[open]")) section.querySelector("tbody").replaceWith(fresh.parentElement.querySelector("tbody"));
  }
}

document.querySelectorAll("[data-chart]").forEach(draw);
setInterval(() => refresh().catch(() => {}), REFRESH);
