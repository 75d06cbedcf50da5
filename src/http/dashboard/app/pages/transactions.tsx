/** Transactions: what the API says of them, which today is that there are none. */

import { routeOf } from "../api/ask.ts";
import { useResource } from "../api/resource.ts";
import { Empty, Refused, Waiting } from "../parts/notice.tsx";
import { Page } from "../parts/page.tsx";

interface TransactionsAnswer {
  readonly isServed: boolean;
}

export function TransactionsPage() {
  const { data, refusal } = useResource<TransactionsAnswer>(routeOf(["transactions"]));
  return (
    <Page title="Transactions">
      <Refused refusal={refusal} />
      {data === null && refusal === null && <Waiting rows={3} />}
      {data !== null && (
        <Empty icon="transactions" title="Transactions are not served yet">
          A producer with a transactional.id is refused, and told so. Idempotent producers work: they need no
          transaction, and a message that is sent again is stored once.
        </Empty>
      )}
    </Page>
  );
}
