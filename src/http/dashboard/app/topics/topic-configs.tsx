/** The settings of a topic with what they mean, and the way to change one or to take the change back. */

import { useState } from "preact/hooks";
import type { ConfigDescribed, TopicDescribed } from "../api/answers.ts";
import { ask, routeOf } from "../api/ask.ts";
import { plural } from "../base/format.ts";
import { Advice } from "../parts/advice.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { CheckField, TextField } from "../parts/field.tsx";
import { tell } from "../parts/toast.tsx";
import { readingOf } from "./config-reading.ts";

export function TopicConfigs({ topic, onChanged }: { topic: TopicDescribed; onChanged: () => void }) {
  const [edited, setEdited] = useState<ConfigDescribed | null>(null);
  const isChanged = ({ source }: ConfigDescribed) => source !== "default";
  const obeyed = topic.configs.filter(({ stance }) => stance === "obeyed");
  const shown = [...obeyed.filter(isChanged), ...obeyed.filter((config) => !isChanged(config))];
  const kept = topic.configs.filter(({ stance }) => stance !== "obeyed");
  const row = (config: ConfigDescribed) => (
    <Config key={config.name} config={config} onEdit={() => setEdited(config)} />
  );
  return (
    <section aria-labelledby="configs-title">
      <div class="section-head">
        <h2 id="configs-title">Settings</h2>
        <span class="muted">What was changed comes first.</span>
      </div>
      <ul class="settings card">{shown.map(row)}</ul>
      <details class="more">
        <summary>{plural(kept.length, "setting")} of Kafka's that change nothing here</summary>
        <ul class="settings card">{kept.map(row)}</ul>
      </details>
      {edited !== null && (
        <EditConfig
          topic={topic.name}
          config={edited}
          onClose={() => setEdited(null)}
          onChanged={() => {
            onChanged();
            setEdited(null);
          }}
        />
      )}
    </section>
  );
}

function Config({ config, onEdit }: { config: ConfigDescribed; onEdit: () => void }) {
  const { name, value, source, documentation, isReadOnly } = config;
  const reading = readingOf(name, value);
  return (
    <li class="setting">
      <div class="setting-what">
        <h3 class="data">{name}</h3>
        <p class="muted">
          <Advice text={documentation} />
        </p>
      </div>
      <div class="setting-value">
        <span>
          <span class="data">{value === "" ? "(empty)" : value}</span>
          {reading !== null && <span class="muted"> {reading}</span>}
        </span>
        {source !== "default" && <span class="tag is-changed">{SOURCES[source] ?? source}</span>}
      </div>
      <div class="setting-act">
        {!isReadOnly && (
          <button type="button" class="button small" aria-label={`Change ${name}`} onClick={onEdit}>
            Change
          </button>
        )}
      </div>
    </li>
  );
}

const SOURCES: Readonly<Record<string, string>> = {
  topic: "this topic",
  broker: "this broker",
  "all-brokers": "all brokers",
  server: "server's settings",
};

interface EditConfigProps {
  readonly topic: string;
  readonly config: ConfigDescribed;
  readonly onClose: () => void;
  readonly onChanged: () => void;
}

function EditConfig({ topic, config, onClose, onChanged }: EditConfigProps) {
  const { name, value, documentation, must, type, source } = config;
  const [typed, setTyped] = useState(value);
  const [isReset, setIsReset] = useState(false);
  const change = async () => {
    const configs = { [name]: isReset ? null : typed };
    await ask(routeOf(["topics", topic]), { method: "PATCH", body: { configs } });
    tell(`${name} was ${isReset ? "reset" : "changed"}.`);
    onChanged();
  };
  return (
    <Dialog
      title={name}
      submit={isReset ? "Reset" : "Change"}
      isReady={isReset || typed !== value}
      onClose={onClose}
      onSubmit={change}
    >
      <p>
        <Advice text={documentation} />
      </p>
      {!isReset && (
        <TextField
          label="Value"
          hint={readingOf(name, typed) ?? must ?? type}
          value={typed}
          onChange={setTyped}
          isData
          isFirst
        />
      )}
      {source === "topic" && (
        <CheckField
          label={`Take it back to ${config.default === "" ? "empty" : config.default}`}
          isChecked={isReset}
          onChange={setIsReset}
        />
      )}
    </Dialog>
  );
}
