/** How the broker is set, where each value comes from, and when to change it. They are changed where the broker is started. */

import { useMemo } from "preact/hooks";
import type { ClusterAnswer, SettingAnswer } from "../api/answers.ts";
import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { plural } from "../base/format.ts";
import { query, setQuery } from "../base/router.ts";
import { Advice } from "../parts/advice.tsx";
import { CheckField } from "../parts/field.tsx";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";
import { SearchBox } from "../parts/search-box.tsx";

interface ConfigAnswer {
  readonly settings: readonly SettingAnswer[];
}

export function SettingsPage() {
  const { data, refusal } = useResource<ConfigAnswer>(routeOf(["config"]));
  const search = query.value.get("search") ?? "";
  const isChangedOnly = query.value.get("changed") !== null;
  const settings = data?.settings ?? null;
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    return (settings ?? []).filter(
      ({ name, advice, source }) =>
        (name.includes(wanted) || advice.toLowerCase().includes(wanted)) &&
        (!isChangedOnly || source !== "default"),
    );
  }, [settings, search, isChangedOnly]);
  return (
    <Page
      title="Settings"
      lead={
        settings === null
          ? ""
          : `${plural(settings.length, "setting")}, changed by flags, variables or a file at the start.`
      }
    >
      <Cluster />
      <div class="toolbar">
        <SearchBox label="Search settings" value={search} onChange={(value) => setQuery({ search: value })} />
        <CheckField
          label="Only what was changed"
          isChecked={isChangedOnly}
          onChange={(isChecked) => setQuery({ changed: isChecked ? "1" : null })}
        />
      </div>
      <Refused refusal={refusal} />
      {settings === null && refusal === null && <Waiting />}
      {settings !== null && shown.length === 0 && (
        <Empty icon="settings" title="No setting is like that">
          Names and advice are searched.
        </Empty>
      )}
      {shown.length > 0 && (
        <ul class="settings card">
          {shown.map((setting) => (
            <Setting key={setting.name} setting={setting} />
          ))}
        </ul>
      )}
    </Page>
  );
}

function Setting({ setting }: { setting: SettingAnswer }) {
  const { name, value, source, advice, takes, range, variable, isLive } = setting;
  const isChanged = source !== "default";
  return (
    <li class="setting">
      <div class="setting-what">
        <h2 class="data">{name}</h2>
        <p class="muted">
          <Advice text={advice} />
        </p>
        <p class="muted setting-how">
          Takes {takes}
          {range !== "" && `, ${range}`}. <code class="data">--{name}</code> or{" "}
          <code class="data">{variable}</code>
          {isLive ? ", also while it runs." : "."}
        </p>
      </div>
      <div class="setting-value">
        <span class="data">{told(value)}</span>
        {isChanged && <span class="muted">default {told(setting.default)}</span>}
        {isChanged && <span class="tag is-changed">{source}</span>}
      </div>
    </li>
  );
}

function told(value: string): string {
  return value === "" ? "(empty)" : value;
}

/** Who this broker is, to whom it may concern. */
function Cluster() {
  const { data } = useResource<ClusterAnswer>(routeOf(["cluster"]));
  if (data === null) return null;
  const { clusterId, version, brokers, features } = data;
  return (
    <dl class="card cluster">
      <div>
        <dt>Cluster</dt>
        <dd class="data">{clusterId}</dd>
      </div>
      <div>
        <dt>Kafka clients connect to</dt>
        <dd class="data">{brokers.map(({ host, port }) => `${host}:${port}`).join(", ")}</dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd class="data">{version}</dd>
      </div>
      <div>
        <dt>Features</dt>
        <dd class="data">{features.map(({ name, level }) => `${name} ${level}`).join(", ")}</dd>
      </div>
    </dl>
  );
}
