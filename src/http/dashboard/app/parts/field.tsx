/** Labelled inputs. The label is above, the hint below, and a screen reader hears both. */

import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly fault?: string | null;
  readonly isFirst?: boolean;
  readonly isData?: boolean;
}

export interface TextFieldProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly type?: "text" | "number" | "datetime-local" | "search";
  readonly placeholder?: string;
  readonly options?: readonly string[];
  readonly step?: string;
}

export function TextField(props: TextFieldProps) {
  const { label, hint, fault = null, value, onChange, type = "text", placeholder, options, step } = props;
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        class={props.isData === true ? "input data" : "input"}
        type={type}
        value={value}
        placeholder={placeholder}
        step={step}
        list={options === undefined ? undefined : `${id}-options`}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={fault !== null}
        aria-describedby={hint === undefined && fault === null ? undefined : `${id}-hint`}
        data-first={props.isFirst}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {options !== undefined && (
        <datalist id={`${id}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
      <Hint id={id} hint={hint} fault={fault} />
    </div>
  );
}

export interface AreaFieldProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly rows?: number;
  readonly isDisabled?: boolean;
}

export function AreaField(props: AreaFieldProps) {
  const { label, hint, fault = null, value, onChange, rows = 6, isDisabled = false } = props;
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        class="input data"
        rows={rows}
        value={value}
        disabled={isDisabled}
        autocomplete="off"
        spellcheck={false}
        aria-invalid={fault !== null}
        aria-describedby={hint === undefined && fault === null ? undefined : `${id}-hint`}
        data-first={props.isFirst}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      <Hint id={id} hint={hint} fault={fault} />
    </div>
  );
}

export interface SelectFieldProps extends FieldProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly options: readonly (readonly [value: string, label: string])[];
}

export function SelectField(props: SelectFieldProps) {
  const { label, hint, fault = null, value, onChange, options } = props;
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        class="input"
        value={value}
        aria-describedby={hint === undefined && fault === null ? undefined : `${id}-hint`}
        data-first={props.isFirst}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {options.map(([option, name]) => (
          <option key={option} value={option}>
            {name}
          </option>
        ))}
      </select>
      <Hint id={id} hint={hint} fault={fault} />
    </div>
  );
}

export interface CheckFieldProps {
  readonly label: string;
  readonly isChecked: boolean;
  readonly onChange: (isChecked: boolean) => void;
}

export function CheckField({ label, isChecked, onChange }: CheckFieldProps) {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={isChecked}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}

function Hint({ id, hint, fault }: { id: string; hint: ComponentChildren; fault: string | null }) {
  if (fault !== null)
    return (
      <p class="fault" id={`${id}-hint`}>
        {fault}
      </p>
    );
  if (hint === undefined) return null;
  return (
    <p class="hint" id={`${id}-hint`}>
      {hint}
    </p>
  );
}
