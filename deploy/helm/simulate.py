#!/usr/bin/env python3
"""How many workers there would be over ten hours, and how many leads would wait, by the ScaledObject that the chart renders.

    simulate.py RENDERED PLOT            compares PLOT with what it would be, and checks what must hold
    simulate.py RENDERED PLOT --write    writes PLOT

A model, not a cluster: the autoscaler's documented rules (desired = ceil(due / threshold), tolerance, stabilisation windows, policies),
looked at every 15 s, a metric as old as KEDA's polling interval, and workers that take their time to start. What the query says while
the sink is down is checked against figures by due.test.yaml; here it is taken for granted. Asked by deploy/check.
"""

import math
import re
import sys

import yaml

HOURS = 10
SYNC = 15  # s between two looks of the autoscaler
TOLERANCE = 0.1  # of the autoscaler: smaller differences change nothing
START = 30  # s until a new worker has its partitions and has read back
PAUSE = 5  # s in which nobody takes leads while partitions change hands
RATE = 300  # s over which the query takes its rate
CALLS = 3  # at once of one worker: what a mail server such as Office 365 allows
CALL = 1.0  # s


def arrivals(second: int) -> float:
    """Leads a second: a quiet day, an import of 36,000 leads, a noisy afternoon."""
    hour = second / 3600
    quiet = 0.5 + 0.4 * math.sin(hour * 2)
    if 1 <= hour < 2:
        return 10.0
    if 8 <= hour < 9:
        # Just around what two workers do: the temptation to scale up and down with every wave.
        return 6.0 + 2.5 * math.sin(second / 90)
    return quiet


def is_down(second: int) -> bool:
    """The sink answers nobody for an hour."""
    return 5 <= second / 3600 < 6


class Autoscaler:
    """HorizontalPodAutoscaler v2, as its documentation describes it."""

    def __init__(self, scaled: dict):
        spec = scaled["spec"]
        self.least, self.most = spec["minReplicaCount"], spec["maxReplicaCount"]
        self.threshold = float(spec["triggers"][0]["metadata"]["threshold"])
        # As the query says: what is due, and what comes within so many seconds.
        self.within = float(re.search(r"(\d+) \* sum\(rate", spec["triggers"][0]["metadata"]["query"]).group(1))
        self.interval = spec["pollingInterval"]
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        self.up, self.down = behavior["scaleUp"], behavior["scaleDown"]
        self.wanted: list[tuple[int, int]] = []
        self.changes: list[tuple[int, int]] = []

    def replicas(self, second: int, now: int, due: float) -> int:
        """How many there are to be, of `now`."""
        wanted = math.ceil(due / self.threshold)
        if abs(due / (self.threshold * now) - 1) <= TOLERANCE:
            wanted = now
        wanted = min(max(wanted, self.least), self.most)
        self.wanted.append((second, wanted))
        calm = self.steady(second, now)
        after = self.limited(second, now, calm)
        if after != now:
            self.changes.append((second, after - now))
        return after

    def steady(self, second: int, now: int) -> int:
        """Up no further than was wanted throughout the window, down no further than was wanted at any time of its own."""
        within = lambda rule: [n for at, n in self.wanted if at > second - rule["stabilizationWindowSeconds"]]
        return max(min(now, max(within(self.down))), min(within(self.up)))

    def limited(self, second: int, now: int, calm: int) -> int:
        rule = self.up if calm > now else self.down
        sign = 1 if calm > now else -1
        allowed = []
        for policy in rule["policies"]:
            before = now - sum(change for at, change in self.changes if at > second - policy["periodSeconds"] and change * sign > 0)
            step = policy["value"] if policy["type"] == "Pods" else before * policy["value"] / 100
            allowed.append(math.ceil(before + step) if sign > 0 else math.floor(before - step))
        # `Max` is the largest change, so the highest number up and the lowest down; `Min` the other way round.
        bound = (max if (rule["selectPolicy"] == "Max") == (sign > 0) else min)(allowed)
        return min(calm, max(bound, now)) if sign > 0 else max(calm, min(bound, now))


def simulate(scaled: dict):
    """The points of a minute: second, arrivals, leads that are due, replicas. And the moments of changes."""
    autoscaler = Autoscaler(scaled)
    replicas, ready, due, seen, pause = autoscaler.least, [0] * autoscaler.least, 0.0, 0.0, 0
    points, handled = [], [0.0] * RATE
    for second in range(HOURS * 3600):
        due += arrivals(second)
        working = sum(1 for since in ready if second >= since)
        taken = min(due, working * CALLS / CALL) if not is_down(second) and second >= pause else 0.0
        due -= taken
        handled = handled[1:] + [taken]
        if second % autoscaler.interval == 0:
            # With the sink down the query says what keeps the number.
            seen = autoscaler.threshold * replicas if is_down(second) else due + autoscaler.within * sum(handled) / RATE
        if second % SYNC == 0:
            after = autoscaler.replicas(second, replicas, seen)
            if after != replicas:
                pause = second + PAUSE
            ready = ready[:after] + [second + START] * (after - len(ready))
            replicas = after
        if second % 60 == 0:
            points.append((second, arrivals(second), due, replicas))
    return points, autoscaler


def check(points, autoscaler) -> list[str]:
    """What must hold, each with its figures."""
    replicas = [point[3] for point in points]
    down = [point[3] for point in points if is_down(point[0])]
    noisy = [at for at, _ in autoscaler.changes if 8 * 3600 <= at < 9 * 3600]
    busiest = max(len([at for at, _ in autoscaler.changes if start <= at < start + 1800]) for start in range(0, HOURS * 3600, 60))
    drained = next(second for second, _, due, _ in points if second >= 2 * 3600 and due < 1)
    facts = [
        (max(replicas) == autoscaler.most, f"the import takes all {autoscaler.most} workers that there may be: {max(replicas)}"),
        (drained < 3 * 3600, f"it is done {(drained - 2 * 3600) // 60} minutes after its end"),
        (len(set(down)) == 1, f"while the sink is down their number stays: {sorted(set(down))}"),
        (replicas[-1] == autoscaler.least, f"at the end there are the {autoscaler.least} that there must be: {replicas[-1]}"),
        (busiest <= 6, f"in half an hour there are {busiest} rebalances by scaling at most"),
        (len(noisy) <= 6, f"waves around what the workers do change their number {len(noisy)} times in an hour"),
    ]
    wrong = [text for holds, text in facts if not holds]
    if wrong:
        sys.exit("does not hold: " + "; ".join(wrong))
    return [text for _, text in facts]


def plot(points, autoscaler) -> str:
    """Three charts, one above the other, over the same hours."""
    width, height, left, gap = 800, 110, 60, 40
    charts = [
        ("leads a second that come", 1, "#1f77b4"),
        ("leads that are due", 2, "#d62728"),
        (f"workers, {autoscaler.least} to {autoscaler.most}", 3, "#2ca02c"),
    ]
    total = len(charts) * (height + gap) + 40
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + left + 20}" height="{total}" font-family="sans-serif" font-size="12">']
    lines.append('<!-- Made by deploy/helm/simulate.py. Do not edit. -->')
    lines.append(f'<rect width="{width + left + 20}" height="{total}" fill="white"/>')
    x = lambda second: left + width * second / (HOURS * 3600)
    lines.append(f'<rect x="{x(5 * 3600):.1f}" y="20" width="{x(6 * 3600) - x(5 * 3600):.1f}" height="{total - 50}" fill="#eee"/>')
    lines.append(f'<text x="{x(5 * 3600) + 4:.1f}" y="{total - 36}" fill="#666">the sink is down</text>')
    for number, (title, column, colour) in enumerate(charts):
        top = 30 + number * (height + gap)
        most = max(point[column] for point in points)
        y = lambda value: top + height - height * value / most
        path = " ".join(f"{x(point[0]):.1f},{y(point[column]):.1f}" for point in points)
        lines.append(f'<text x="{left}" y="{top - 8}">{title}</text>')
        lines.append(f'<line x1="{left}" y1="{top + height}" x2="{left + width}" y2="{top + height}" stroke="#999"/>')
        lines.append(f'<text x="{left - 8}" y="{top + 10}" text-anchor="end">{most:,.0f}</text>')
        lines.append(f'<text x="{left - 8}" y="{top + height}" text-anchor="end">0</text>')
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>')
    for hour in range(HOURS + 1):
        lines.append(f'<text x="{x(hour * 3600):.1f}" y="{total - 12}" text-anchor="middle">{hour} h</text>')
    return "\n".join(lines + ["</svg>", ""])


def main() -> None:
    rendered, file = sys.argv[1:3]
    with open(rendered) as text:
        objects = [one for one in yaml.safe_load_all(text) if one]
    [scaled] = [one for one in objects if one["kind"] == "ScaledObject" and one["metadata"]["name"] == "leadline-email"]
    points, autoscaler = simulate(scaled)
    print("\n".join(check(points, autoscaler)))
    made = plot(points, autoscaler)
    if "--write" in sys.argv:
        with open(file, "w") as text:
            text.write(made)
        return
    with open(file) as text:
        if text.read() != made:
            sys.exit(f"{file} is behind: deploy/check --plot writes it")


main()
