/**
 * A dialog of the browser's own kind: it keeps the focus within, Escape closes it, and the focus goes back to where it was. Its form is
 * sent once; while it is on its way the button says so, and what was refused is shown in it.
 */

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { Refusal } from "../api/ask.ts";
import { Icon } from "./icon.tsx";
import { Refused } from "./notice.tsx";

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly submit: string;
  readonly isDangerous?: boolean;
  readonly isReady?: boolean;
  readonly isWide?: boolean;
  /** What it throws as a Refusal is shown, and the dialog stays. */
  readonly onSubmit: () => Promise<void>;
  readonly children: ComponentChildren;
}

export function Dialog(props: DialogProps) {
  const {
    title,
    onClose,
    submit,
    isDangerous = false,
    isReady = true,
    isWide = false,
    onSubmit,
    children,
  } = props;
  const element = useRef<HTMLDialogElement>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const [isUnderWay, setIsUnderWay] = useState(false);
  const titleId = useId();

  useEffect(() => {
    const dialog = element.current!;
    dialog.showModal();
    dialog.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => dialog.close();
  }, []);

  const send = async (event: Event) => {
    event.preventDefault();
    if (isUnderWay || !isReady) return;
    setIsUnderWay(true);
    setRefusal(null);
    try {
      await onSubmit();
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      setRefusal(thrown);
    } finally {
      setIsUnderWay(false);
    }
  };

  return (
    <dialog
      ref={element}
      class={isWide ? "dialog wide" : "dialog"}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <form onSubmit={send}>
        <header class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" class="button quiet square" aria-label="Close" onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        <div class="dialog-body">
          {children}
          <Refused refusal={refusal} />
        </div>
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={isDangerous ? "button danger" : "button primary"}
            disabled={!isReady}
            aria-busy={isUnderWay}
          >
            {submit}
          </button>
        </footer>
      </form>
    </dialog>
  );
}
