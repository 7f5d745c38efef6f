"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = Object.fromEntries(data.numbers.map((name, place) => [name, place + 2]));
  const select = (id) => document.getElementById(id);
  const [crm, entity, period] = ["crm", "entity", "period"].map(select);
  const drawn = new Map();

  // Each chart: its type, whether it is stacked, and its lines as [label, colour, value of a day].
  const sum = (name) => (rows) => rows.reduce((total, row) => total + row[at[name]], 0);
  const syncs = (rows) => sum("success")(rows) + sum("partial")(rows) + sum("failed")(rows);
  const CHARTS = {
    records: { type: "bar", stacked: true, lines: [
      ["created", "created", sum("created")], ["updated", "updated", sum("updated")],
      ["deleted", "deleted", sum("deleted")], ["failed", "failed", sum("records_failed")]] },
    syncs: { type: "bar", stacked: true, lines: [
      ["success", "created", sum("success")], ["partial", "partial", sum("partial")],
      ["failed", "failed", sum("failed")]] },
    duration: { type: "line", stacked: false, lines: [
      ["seconds a sync", "updated",
        (rows) => (syncs(rows) ? Math.round((10 * sum("seconds")(rows)) / syncs(rows)) / 10 : null)],
      ["baseline of the newest", "deleted", () => baseline()]] },
    requests: { type: "bar", stacked: false, lines: [
      ["requests", "updated", sum("requests")], ["answers 429", "failed", sum("rate_limit_hits")]] },
  };

  function baseline() {
    const found = data.baselines[`${crm.value}.${entity.value}`];
    return found === undefined ? null : found;
  }

  function chosen(name) {
    const [of, type] = [name.split(".")[0], name.split(".").slice(1).join(".")];
    return (!crm.value || of === crm.value) && (!entity.value || !type || type === entity.value);
  }

  function days() {
    const first = new Date(`${data.since}T00:00:00Z`).getTime();
    // Of the days before there was anything, a week at most.
    const began = Math.min(...data.rows.map((row) => row[0]), data.days - 7);
    const from = Math.max(0, began, data.days - Number(period.value));
    const names = [];
    for (let day = from; day < data.days; day += 1) {
      names.push(new Date(first + day * 86400000).toISOString().slice(0, 10));
    }
    const rows = names.map(() => []);
    const wanted = data.entities.map(chosen);
    for (const row of data.rows) {
      if (row[0] >= from && wanted[row[1]]) rows[row[0] - from].push(row);
    }
    return { names, rows };
  }

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  function draw() {
    const { names, rows } = days();
    for (const [id, chart] of Object.entries(CHARTS)) {
      const lines = chart.lines
        .map(([label, shade, value]) => ({ label, shade, values: rows.map(value) }))
        .filter((line) => line.values.some((value) => value !== null));
      plot(id, chart, names, lines);
      tabulate(id, names, lines);
    }
  }

  function plot(id, chart, names, lines) {
    if (drawn.has(id)) drawn.get(id).destroy();
    const axis = { stacked: chart.stacked, grid: { color: colour("line") },
      ticks: { color: colour("soft"), maxRotation: 0, autoSkip: true } };
    drawn.set(id, new Chart(select(`c-${id}`), {
      type: chart.type,
      data: { labels: names.map((name) => name.slice(5)), datasets: lines.map((line) => ({
        label: line.label, data: line.values, backgroundColor: colour(line.shade),
        borderColor: colour(line.shade), borderWidth: chart.type === "line" ? 2 : 0,
        pointRadius: 2, spanGaps: true })) },
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: { legend: { labels: { color: colour("ink"), boxWidth: 14 } } },
        scales: { x: axis, y: { ...axis, beginAtZero: true } },
      },
    }));
  }

  function tabulate(id, names, lines) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const label of ["day", ...lines.map((line) => line.label)]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = label;
      head.append(cell);
    }
    const body = table.createTBody();
    names.forEach((name, place) => {
      const row = body.insertRow(0);
      const day = document.createElement("th");
      day.scope = "row";
      day.textContent = name;
      row.append(day);
      for (const line of lines) {
        const value = line.values[place];
        row.insertCell().textContent = value === null ? "–" : value.toLocaleString("en");
      }
    });
    select(`d-${id}`).replaceChildren(table);
  }

  function filter() {
    const counts = {};
    let [shown, quarantined] = [0, 0];
    for (const row of document.querySelectorAll("[data-of]")) {
      row.hidden = row.dataset.of !== "everything" && !chosen(row.dataset.of);
      if (row.dataset.word && !row.hidden) {
        shown += 1;
        counts[row.dataset.word] = (counts[row.dataset.word] || 0) + 1;
        quarantined += Number(row.dataset.quarantined);
      }
    }
    counts["never synced"] = data.never.filter(chosen).length;
    for (const card of document.querySelectorAll("[data-count]")) {
      const count = counts[card.dataset.count] || 0;
      card.textContent = count;
      card.className = count ? card.dataset.count.replace(" ", "-") : "";
    }
    document.querySelector("[data-sum]").textContent = quarantined.toLocaleString("en");
    document.querySelector("[data-alerts]").textContent =
      document.querySelectorAll("[data-alert]:not([hidden])").length;
    const what = crm.value ? `${crm.value}${entity.value ? `.${entity.value}` : ""}` : "everything";
    select("status").textContent = `Shown: ${what}, ${shown} synced, ${period.value} days.`;
  }

  function offer(wanted) {
    const names = [...data.entities, ...data.never].filter((name) => name.startsWith(`${crm.value}.`));
    const types = crm.value ? names.map((name) => name.split(".").slice(1).join(".")) : [];
    entity.replaceChildren(new Option("all", ""), ...[...new Set(types)].sort().map(
      (type) => new Option(type, type)));
    entity.disabled = !crm.value;
    entity.value = types.includes(wanted) ? wanted : "";
  }

  function show() {
    draw();
    filter();
  }

  function follow() {
    const [of, type] = decodeURIComponent(location.hash.slice(1)).split("/");
    if (of === "main") return;
    crm.value = [...crm.options].some((option) => option.value === of) ? of : "";
    offer(type || "");
    show();
  }

  function go() {
    const place = crm.value ? `#${crm.value}${entity.value ? `/${entity.value}` : ""}` : " ";
    history.replaceState(null, "", place.trim() || location.pathname + location.search);
    show();
  }

  crm.addEventListener("change", () => { offer(""); go(); });
  entity.addEventListener("change", go);
  period.addEventListener("change", () => {
    if (Number(period.value) <= data.days) { go(); return; }
    const url = new URL(location.href);
    url.searchParams.set("days", period.value);
    location.assign(url);
  });
  const again = select("again");
  if (again) again.addEventListener("click", () => location.reload());
  addEventListener("hashchange", follow);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  follow();
})();
