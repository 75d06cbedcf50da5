/**
 * SaslAuthenticate (36): one token of the mechanism in each direction. A session lifetime of 0 means no end.
 */

import { defineApi } from "../api.ts";
import { bytes, type Decoded, type Input, int16, int64, nullableString } from "../schema.ts";

const request = {
  authBytes: bytes("0+"),
};

const response = {
  errorCode: int16("0+"),
  errorMessage: nullableString("0+", { default: null }),
  authBytes: bytes("0+"),
  sessionLifetimeMs: int64("1+", { default: 0, ignorable: true }),
};

export type SaslAuthenticateRequest = Decoded<typeof request>;
export type SaslAuthenticateResponse = Decoded<typeof response>;
export type SaslAuthenticateRequestInput = Input<typeof request>;
export type SaslAuthenticateResponseInput = Input<typeof response>;

export const saslAuthenticateApi = defineApi({
  key: 36,
  name: "SaslAuthenticate",
  versions: "0-2",
  flexibleFrom: 2,
  request,
  response,
});
