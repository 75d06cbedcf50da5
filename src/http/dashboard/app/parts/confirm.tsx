/** Asks before something is lost for good: the name must be typed, so that it is this one and no other. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { visibleText } from "../values/visible-text.ts";
import { Dialog } from "./dialog.tsx";
import { TextField } from "./field.tsx";

export interface ConfirmProps {
  readonly title: string;
  /** What is to be typed. */
  readonly name: string;
  readonly noun: string;
  readonly submit: string;
  readonly isReady?: boolean;
  readonly isWide?: boolean;
  readonly onClose: () => void;
  readonly onConfirm: () => Promise<void>;
  readonly children: ComponentChildren;
}

export function Confirm(props: ConfirmProps) {
  const { title, name, noun, submit, isReady = true, isWide = false, onClose, onConfirm, children } = props;
  const [typed, setTyped] = useState("");
  return (
    <Dialog
      title={title}
      submit={submit}
      isDangerous
      isWide={isWide}
      isReady={isReady && typed === name}
      onClose={onClose}
      onSubmit={onConfirm}
    >
      {children}
      <TextField
        label={`Type the ${noun}'s name to confirm`}
        hint={<span class="data">{visibleText(name)}</span>}
        value={typed}
        onChange={setTyped}
        isData
        isFirst
      />
    </Dialog>
  );
}
