/** The broker at a glance: whether it is well, how much it does, how long that takes, and what it has left. */

import type { OverviewAnswer } from "../api/answers.ts";
import { formatBytes, formatCount, formatDuration, formatMs, formatShort, plural } from "../base/format.ts";
import { pathOf } from "../base/router.ts";
import { componentsOf, toneOf } from "../overview/health.ts";
import { rateNow, ratesOf, type Sample, valuesOf } from "../overview/samples.ts";
import { overview, samples } from "../overview/store.ts";
import { Chart } from "../parts/chart.tsx";
import { Icon } from "../parts/icon.tsx";
import { Meter } from "../parts/meter.tsx";
import { Page } from "../parts/page.tsx";
import { StatusBadge } from "../parts/status-badge.tsx";

const LISTENERS: Readonly<Record<string, string>> = { native: "Native", kafka: "Kafka", http: "HTTP" };

export function OverviewPage() {
  const latest = overview.value;
  const course = samples.value;
  const lead =
    latest === null
      ? "Asking the broker."
      : `Up for ${formatDuration(latest.uptimeMs)}. ${plural(latest.topics, "topic")}, ${plural(latest.partitions, "partition")}.`;
  return (
    <Page title="Overview" lead={lead}>
      <HealthPanel latest={latest} />
      <Tiles latest={latest} course={course} />
      {latest !== null && latest.topics === 0 && <FirstSteps />}
      <Charts latest={latest} course={course} />
      {latest !== null && <Resources latest={latest} />}
    </Page>
  );
}

function HealthPanel({ latest }: { latest: OverviewAnswer | null }) {
  if (latest === null || latest.health.status === "healthy") return null;
  const troubled = componentsOf(latest.health).filter(({ status }) => status !== "healthy");
  return (
    <section class={`card health ${toneOf(latest.health.status)}`} aria-label="Health">
      <h2>
        <Icon name="warning" />
        {latest.health.status === "degraded" ? "Some of it is not well" : "The broker cannot serve"}
      </h2>
      <ul>
        {troubled.map(({ id, name, status, reason, remedy, facts }) => (
          <li key={id}>
            <StatusBadge tone={toneOf(status)}>{name}</StatusBadge>
            {reason !== null && <p>{reason}</p>}
            {remedy !== null && (
              <p>
                <strong>What to do:</strong> {remedy}
              </p>
            )}
            <dl class="facts">
              {facts.map(([fact, value]) => (
                <div key={fact}>
                  <dt>{fact}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Tiles({ latest, course }: { latest: OverviewAnswer | null; course: readonly Sample[] }) {
  const perSecond = (name: string) => formatShort(rounded(rateNow(course, name)));
  const bytesPerSecond = (name: string) => formatBytes(rounded(rateNow(course, name)));
  const unknown = latest?.lag.unknownPartitions ?? 0;
  const lagNote =
    latest === null || latest.lag.groups === 0
      ? "no group has committed"
      : unknown === 0
        ? plural(latest.lag.groups, "group")
        : `${plural(unknown, "partition")} unknown`;
  return (
    <dl class="tiles">
      <Tile label="Messages in" value={perSecond("messagesStored")} unit="per second" />
      <Tile label="Messages out" value={perSecond("messagesRead")} unit="per second" />
      <Tile label="Bytes in" value={bytesPerSecond("bytesIn")} unit="per second" />
      <Tile label="Bytes out" value={bytesPerSecond("bytesOut")} unit="per second" />
      <Tile label="Produce, p99" value={formatMs(latest?.latency.produce?.p99Ms)} unit="last seconds" />
      <Tile label="Lag" value={formatShort(latest?.lag.total)} unit={lagNote} />
    </dl>
  );
}

function Tile({ label, value, unit }: { label: string; value: string; unit: string }) {
  return (
    <div class="card tile">
      <dt>{label}</dt>
      <dd>
        <span class="tile-value">{value}</span>
        <span class="tile-unit">{unit}</span>
      </dd>
    </div>
  );
}

function FirstSteps() {
  return (
    <section class="card first-steps" aria-label="First steps">
      <h2>Nothing is stored yet</h2>
      <p>Create a topic here, or let a producer create it: every Kafka client works, and so does curl.</p>
      <pre class="data">{`curl -d '{"value":"hello"}' ${location.origin}/topics/greetings/messages`}</pre>
      <a class="button primary" href={`${pathOf("topics")}?create=1`}>
        <Icon name="plus" />
        Create a topic
      </a>
    </section>
  );
}

function Charts({ latest, course }: { latest: OverviewAnswer | null; course: readonly Sample[] }) {
  const times = valuesOf(course, "at");
  const rates = (label: string, name: string) => ({ label, values: ratesOf(course, name) });
  const values = (label: string, name: string) => ({ label, values: valuesOf(course, name) });
  const bytes = (value: number | null) =>
    value === null ? formatBytes(value) : `${formatBytes(Math.round(value))}/s`;
  const perSecond = (value: number | null) =>
    value === null ? formatShort(value) : `${formatShort(rounded(value))}/s`;
  return (
    <section class="charts" aria-label="The last 15 minutes">
      <Chart
        title="Throughput"
        times={times}
        isBytes
        format={bytes}
        isFilled
        series={[rates("In", "bytesIn"), rates("Out", "bytesOut")]}
      />
      <Chart
        title="Messages"
        times={times}
        format={perSecond}
        isFilled
        series={[rates("In", "messagesStored"), rates("Out", "messagesRead")]}
      />
      <Chart
        title="Latency"
        times={times}
        format={formatMs}
        series={[
          values("Produce, p99", "produceP99Ms"),
          values("Produce, p50", "produceP50Ms"),
          values("Fetch, p99", "fetchP99Ms"),
        ]}
      />
      <Chart
        title="Sync to disk"
        times={times}
        format={formatMs}
        isFilled
        series={[values("p99", "syncP99Ms")]}
      />
      <Chart
        title="Memory"
        times={times}
        isBytes
        format={formatBytes}
        isFilled
        series={[values("Resident", "residentBytes")]}
        {...(latest === null ? {} : { ceiling: latest.memory.maxBytes })}
      />
      <Chart
        title="Event loop delay"
        times={times}
        format={formatMs}
        isFilled
        series={[values("p99", "loopDelayP99Ms")]}
      />
    </section>
  );
}

function Resources({ latest }: { latest: OverviewAnswer }) {
  const { disk, memory, connections, groups } = latest;
  const used = disk.totalBytes === null || disk.freeBytes === null ? null : disk.totalBytes - disk.freeBytes;
  return (
    <section class="resources" aria-label="Resources">
      <div class="card">
        <h2>Disk</h2>
        {used === null ? (
          <p class="muted">Nothing bounds it, or it cannot be asked.</p>
        ) : (
          <Meter
            label="Disk in use"
            value={used}
            max={disk.totalBytes!}
            text={`${formatBytes(disk.freeBytes)} of ${formatBytes(disk.totalBytes)} free`}
          />
        )}
        <dl class="facts">
          <div>
            <dt>All logs</dt>
            <dd>{formatBytes(disk.logBytes)}</dd>
          </div>
          <div>
            <dt>Full</dt>
            <dd>{disk.isFull ? "yes" : "no"}</dd>
          </div>
        </dl>
      </div>
      <div class="card">
        <h2>Memory</h2>
        <Meter
          label="Memory in use"
          value={memory.residentBytes}
          max={memory.maxBytes}
          text={`${formatBytes(memory.residentBytes)} of ${formatBytes(memory.maxBytes)}`}
        />
        <dl class="facts">
          {memory.shared.map(({ use, usedBytes, limitBytes }) => (
            <div key={use}>
              <dt>{capitalised(use)}</dt>
              <dd>
                {formatBytes(usedBytes)} of {formatBytes(limitBytes)}
              </dd>
            </div>
          ))}
        </dl>
      </div>
      <div class="card">
        <h2>
          <a href={pathOf("connections")}>Connections</a>
        </h2>
        <dl class="facts">
          {connections.map(({ listener, open, refused }) => (
            <div key={listener}>
              <dt>{LISTENERS[listener] ?? listener}</dt>
              <dd>
                {formatCount(open)}
                {refused > 0 && <span class="muted"> ({formatCount(refused)} refused)</span>}
              </dd>
            </div>
          ))}
        </dl>
      </div>
      <div class="card">
        <h2>
          <a href={pathOf("groups")}>Groups</a>
        </h2>
        {Object.keys(groups).length === 0 ? (
          <p class="muted">None has members or offsets.</p>
        ) : (
          <dl class="facts">
            {Object.entries(groups).map(([protocol, count]) => (
              <div key={protocol}>
                <dt>{capitalised(protocol)} protocol</dt>
                <dd>{formatCount(count)}</dd>
              </div>
            ))}
          </dl>
        )}
      </div>
    </section>
  );
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function rounded(value: number | null): number | null {
  if (value === null) return null;
  return value >= 10 ? Math.round(value) : Number(value.toFixed(1));
}
