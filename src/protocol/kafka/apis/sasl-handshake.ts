/**
 * SaslHandshake (17): the client names its mechanism. After version 0 the tokens follow without Kafka's frames, after
 * version 1 inside SaslAuthenticate. Never flexible.
 */

import { defineApi } from "../api.ts";
import { array, type Decoded, type Input, int16, string } from "../schema.ts";

const request = {
  mechanism: string("0+"),
};

const response = {
  errorCode: int16("0+"),
  mechanisms: array("0+", string("0+")),
};

export type SaslHandshakeRequest = Decoded<typeof request>;
export type SaslHandshakeResponse = Decoded<typeof response>;
export type SaslHandshakeRequestInput = Input<typeof request>;
export type SaslHandshakeResponseInput = Input<typeof response>;

export const saslHandshakeApi = defineApi({
  key: 17,
  name: "SaslHandshake",
  versions: "0-1",
  flexibleFrom: null,
  request,
  response,
});
