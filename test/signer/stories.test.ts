/** Tests the faults of other signers as duties of this one. `story N` has the numbers of test/stories. */

import { expect, test } from 'vitest'
import { type Intent, intentHash } from '../../domain/controls/intent.js'
import { decide } from '../../signer/decide.js'
import { openMemoryStore } from '../../signer/journal/journal-store.js'
import { ethRequest, HOUR, iso, makeState, NOW, STRANGER } from './fixture.js'

/** One change of each field of an intent. People approved the honest one. */
const CHANGES: { readonly [Field in keyof Intent]: Partial<Intent> } = {
  version: { version: 2 as never },
  kind: { kind: 'batch' },
  merchant: { merchant: 'mer_2' },
  withdrawal: { withdrawal: 'withdrawal_2' },
  signer: { signer: 'sig_2' },
  external_id: { external_id: 'other' },
  network: { network: 'eip155:1' },
  asset: { asset: { coin: 'eth', contract: null, decimals: 17 } },
  outputs: { outputs: [{ address: STRANGER, amount: '1500000000000000000' }] },
  fee_payer: { fee_payer: 'recipient' },
  fee_limit: { fee_limit: { coin: 'eth', amount: '20000000000000000' } },
  initiator: { initiator: 'per_alice' },
  created_at: { created_at: iso(-1) },
  expires_at: { expires_at: iso(48 * HOUR) },
}

test('story 13: holds every field to the intent, keeps the journal over a restart, and approves nothing without a person', () => {
  const honest = ethRequest()
  expect(Object.keys(CHANGES).sort()).toEqual(Object.keys(honest.intent).sort())
  for (const change of Object.values(CHANGES)) {
    const intent = { ...honest.intent, ...change }
    // The change comes under the approved hash, and under its own.
    expect(decide({ ...honest, intent }, makeState())).toMatchObject({ outcome: 'refused' })
    const rehashed = { ...honest, intent, intent_hash: intentHash(intent) }
    expect(decide(rehashed, makeState())).toMatchObject({ outcome: 'refused' })
  }
  // Each field of the payload is either checked against the intent, or in the signed bytes.
  const signed = decide(honest, makeState())
  const { payload } = honest
  const other: Record<string, unknown> = {
    chain_id: 1,
    from: STRANGER,
    derivation_path: "m/44'/60'/2'/0/0",
    to: STRANGER,
    value: '1',
    data: '0x00',
    nonce: 9,
    gas: '22000',
    max_fee_per_gas: '31000000000',
    max_priority_fee_per_gas: '2',
  }
  for (const [field, value] of Object.entries(other)) {
    expect(payload).toHaveProperty(field)
    const changed = decide({ ...honest, payload: { ...payload, [field]: value } }, makeState())
    expect(changed.outcome === 'refused' || JSON.stringify(changed) !== JSON.stringify(signed), field).toBe(
      true,
    )
  }

  // A lost result is given again, after a restart and after expiry. A new one is not.
  const store = openMemoryStore()
  const first = decide(honest, makeState({ store }))
  const later = { store: openMemoryStore(store.read()), now: () => NOW + 48 * HOUR }
  expect(decide(honest, makeState(later))).toEqual(first)
  expect(decide(honest, makeState({ now: later.now }))).toMatchObject({ code: 'INTENT_EXPIRED' })
  expect(decide(ethRequest({ payload: { nonce: 6 } }), makeState(later))).toMatchObject({
    code: 'CONFLICT_SET',
  })

  // An empty quorum denies, although all approvals are there.
  const unmanned = makeState({ policy: (file) => void Object.assign(file, { quorum: 0, approvers: [] }) })
  expect(decide(honest, unmanned)).toMatchObject({ code: 'QUORUM_NOT_MET' })
  expect(decide({ ...honest, approvals: [] }, unmanned)).toMatchObject({ code: 'QUORUM_NOT_MET' })
})
