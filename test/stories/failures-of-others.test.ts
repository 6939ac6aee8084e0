/**
 * What broke other custodians' withdrawals, as duties of this one. Most have their test beside the controls that they are about, named
 * `story N`; here are those that are about no controls alone, and the list.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import {
  isSigned,
  WITHDRAWAL_STAGES,
  WITHDRAWAL_TRANSITIONS,
  type WithdrawalStage,
} from '../../domain/payouts/withdrawal-stage.js'
import { decide } from '../../signer/decide.js'
import {
  BTC_STRANGER,
  btcRequest,
  CHANGE_PATH,
  COINS,
  FEE,
  honestOutputs,
  keyring,
  makeState,
  otherKeyring,
  ownScript,
  parentOf,
} from '../signer/fixture.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

function filesOf(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

test('story 4: no nonce is kept in memory: a nonce is a row', () => {
  const rooms = ['activities', 'api', 'chains', 'db', 'domain', 'signer', 'workers', 'workflows']
  const files = rooms.flatMap(filesOf)
  expect(files.length).toBeGreaterThan(300)
  const managed = files.filter((file) => /nonceManager|NonceManager/.test(readFileSync(file, 'utf8')))
  expect(managed).toEqual([])
})

/** Every stage that can be reached. */
function reachable(from: WithdrawalStage): Set<WithdrawalStage> {
  const seen = new Set<WithdrawalStage>([from])
  for (const stage of seen) for (const next of WITHDRAWAL_TRANSITIONS[stage]) seen.add(next)
  return seen
}

test('story 6: what is signed never goes back to where it could be built and paid again', () => {
  const payable: readonly WithdrawalStage[] = [
    'requested',
    'pending_review',
    'pending_approval',
    'approved',
    'building',
    'pending_signature',
  ]
  for (const stage of WITHDRAWAL_STAGES.filter(isSigned)) {
    const after = reachable(stage)
    for (const each of payable) expect(after.has(each), `${stage} → ${each}`).toBe(false)
  }
})

const [paid, change] = honestOutputs
if (!paid || !change) throw new Error('the fixture has two outputs')

test('story 11: an output that only claims to be change is no change', () => {
  // Our own path, somebody else's script.
  const stranger = { address: BTC_STRANGER, amount: change.amount, path: CHANGE_PATH }
  expect(decide(btcRequest({ psbt: { outputs: [paid, stranger] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  // Another seed's key at the path of change.
  const foreign = { ...change, script: ownScript(CHANGE_PATH, otherKeyring) }
  expect(decide(btcRequest({ psbt: { outputs: [paid, foreign] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  // Our own key, where nobody would find it again: held for ransom.
  const lost = "m/84'/1'/1'/1/1900000000"
  const far = { ...change, script: ownScript(lost), path: lost }
  expect(decide(btcRequest({ psbt: { outputs: [paid, far] } }), makeState())).toMatchObject({
    code: 'CHANGE_NOT_MINE',
  })
  expect(keyring.fingerprint).not.toBe(otherKeyring.fingerprint)
})

test('story 12: the amounts of inputs come from their parents, so no fee can hide', () => {
  const [first] = COINS
  if (!first) throw new Error('a coin')
  const lying = btcRequest({
    psbt: {
      change: (psbt) => {
        const input = psbt.data.inputs[0]?.witnessUtxo
        if (input) input.value = first.amount - 10_000_000n
      },
    },
  })
  expect(decide(lying, makeState())).toMatchObject({ outcome: 'refused', code: 'AMOUNT_MISMATCH' })
  expect(decide(btcRequest({ psbt: { withoutParent: 0 } }), makeState())).toMatchObject({
    code: 'UNKNOWN_INPUT',
  })
  // A parent that pays more than the one that the outpoint names.
  const richer = parentOf({ ...first, amount: first.amount + 10_000_000n })
  const swapped = btcRequest({
    psbt: {
      change: (psbt) => {
        const input = psbt.data.inputs[0]
        if (input) input.nonWitnessUtxo = richer.toBuffer()
      },
    },
  })
  expect(decide(swapped, makeState())).toMatchObject({ outcome: 'refused', code: 'UNKNOWN_INPUT' })
  expect(FEE).toBeGreaterThan(0n)
})

test('each of these stories has a test that names it', () => {
  const texts = filesOf('test').map((file) => readFileSync(file, 'utf8'))
  for (const story of [1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 15]) {
    const named = texts.some((text) =>
      new RegExp(`test(?:\\.each\\([^)]*\\))?\\(\\s*['"\`]story ${story}:`).test(text),
    )
    expect(named, `story ${story}`).toBe(true)
  }
})
