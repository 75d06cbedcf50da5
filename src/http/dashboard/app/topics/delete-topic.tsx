/** Deletes a topic, once its name has been typed. */

import { ask, routeOf } from "../api/ask.ts";
import { Confirm } from "../parts/confirm.tsx";
import { tell } from "../parts/toast.tsx";

export interface DeleteTopicProps {
  readonly name: string;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteTopic({ name, onClose, onDeleted }: DeleteTopicProps) {
  const remove = async () => {
    await ask(routeOf(["topics", name]), { method: "DELETE" });
    tell("The topic was deleted.");
    onDeleted();
  };
  return (
    <Confirm
      title="Delete the topic"
      name={name}
      noun="topic"
      submit="Delete for good"
      onClose={onClose}
      onConfirm={remove}
    >
      <p>
        All of its messages go, and what groups have committed for it. This cannot be undone. A producer that
        still writes to it may create it again, empty.
      </p>
    </Confirm>
  );
}
