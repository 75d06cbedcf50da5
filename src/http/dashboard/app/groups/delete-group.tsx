/** Deletes a group, once its name has been typed. One with members is refused by the broker. */

import { ask, routeOf } from "../api/ask.ts";
import { Confirm } from "../parts/confirm.tsx";
import { tell } from "../parts/toast.tsx";

export interface DeleteGroupProps {
  readonly name: string;
  readonly onClose: () => void;
  readonly onDeleted: () => void;
}

export function DeleteGroup({ name, onClose, onDeleted }: DeleteGroupProps) {
  const remove = async () => {
    await ask(routeOf(["groups", name]), { method: "DELETE" });
    tell("The group was deleted.");
    onDeleted();
  };
  return (
    <Confirm
      title="Delete the group"
      name={name}
      noun="group"
      submit="Delete for good"
      onClose={onClose}
      onConfirm={remove}
    >
      <p>
        What it has committed goes: a consumer that comes back begins where its auto.offset.reset says.
        Messages stay as they are. A group with members is not deleted.
      </p>
    </Confirm>
  );
}
