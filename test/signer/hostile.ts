/** Makes requests of a hostile platform. Each is honest except for one fault, which one check must detect. */

import * as bitcoin from 'bitcoinjs-lib'
import type { RefusalCode, SigningRequest } from '../../domain/signing/signer-protocol.js'
import { decide } from '../../signer/decide.js'
import { evmAddress } from '../../signer/evm/evm-address.js'
import { parsePath } from '../../signer/keys/path.js'
import type { SignerState } from '../../signer/state.js'
import {
  alice,
  aliceSecond,
  approve,
  approved,
  BTC_RECIPIENT,
  BTC_STRANGER,
  bob,
  btcRequest,
  CHANGE_PATH,
  COINS,
  call,
  carol,
  ethIntent,
  ethPayload,
  ethRequest,
  FEE,
  HOUR,
  honestOutputs,
  iso,
  keyring,
  MINUTE,
  makePsbt,
  makeState,
  mallory,
  otherKeyring,
  ownScript,
  PAYING_ADDRESS,
  type PsbtOptions,
  parentOf,
  RECIPIENT,
  STRANGER,
  USDT,
  usdtRequest,
} from './fixture.js'

export interface HostileCase {
  readonly name: string
  /** Check that refuses the request. */
  readonly check: string
  /** Second check that would refuse the request with the same code. Absent for most. */
  readonly behind?: string
  readonly code: RefusalCode
  readonly make: () => { readonly request: unknown; readonly state: SignerState }
}

const honest = (): SigningRequest => ethRequest()

function of(
  name: string,
  check: string,
  code: RefusalCode,
  request: () => unknown,
  state: () => SignerState = () => makeState(),
  behind?: string,
): HostileCase {
  const make = () => ({ request: request(), state: state() })
  return { name, check, code, make, ...(behind ? { behind } : {}) }
}

/** Makes the honest request with other approvals. */
function withApprovals(make: (hash: string) => SigningRequest['approvals'], base = honest()): SigningRequest {
  return { ...base, approvals: make(base.intent_hash) }
}

/** Makes a BTC request with a PSBT that was changed in one place, under the approved intent. */
const withPsbt = (psbt: PsbtOptions) => () => btcRequest({ psbt })

function changedPsbt(change: (psbt: bitcoin.Psbt) => void) {
  return withPsbt({ change })
}

/** Makes a state that signed an earlier request. */
function after(request: SigningRequest, options: Parameters<typeof makeState>[0] = {}) {
  return () => {
    const state = makeState(options)
    const decision = decide(request, state)
    if (decision.outcome !== 'signed') throw new Error(`${decision.code}: ${decision.message}`)
    return state
  }
}

const [recipientOutput, changeOutput] = honestOutputs
if (!recipientOutput || !changeOutput) throw new Error('The fixture has two outputs')
const changeTo = (path: string, script = ownScript(path)): PsbtOptions => ({
  outputs: [recipientOutput, { ...changeOutput, script, path }],
})

/** Makes a state whose signer was restored after the honest intent was created. */
function restoredState(): SignerState {
  const state = makeState()
  state.journal.append({ type: 'restored', reason: 'test' })
  return state
}

const requestCases: HostileCase[] = [
  of('a request while paused', 'signer-not-paused', 'PAUSED', honest, () => makeState({ paused: true })),
  of('a request while the journal is stale', 'journal-not-locked', 'JOURNAL_STALE', honest, () =>
    makeState({ locked: true }),
  ),
  of('an intent of another merchant', 'merchant-matches', 'MERCHANT_MISMATCH', () =>
    ethRequest({ intent: { merchant: 'mer_2' } }),
  ),
  of('a kind that the policy does not list', 'kind-allowed', 'KIND_NOT_ALLOWED', () =>
    ethRequest({ intent: { kind: 'batch', withdrawal: 'batch_eth' } }),
  ),
  of('a kind when the policy lists none', 'kind-allowed', 'KIND_NOT_ALLOWED', honest, () =>
    makeState({ policy: (file) => void file.allowed_kinds.splice(0) }),
  ),
  of('another hash than the intent has', 'intent-hash-matches', 'INTENT_HASH_MISMATCH', () => ({
    ...honest(),
    intent_hash: 'ab'.repeat(32),
  })),
  of('a network that the policy does not list', 'network-allowed', 'NETWORK_NOT_ALLOWED', () =>
    ethRequest({ intent: { network: 'eip155:1' } }),
  ),
  of('a payload that names another network', 'payload-on-intent-network', 'CHAIN_MISMATCH', () =>
    ethRequest({ payload: { network: 'polygon' } }),
  ),
  of('a payload of another family', 'payload-on-intent-network', 'CHAIN_MISMATCH', () => ({
    ...honest(),
    payload: btcRequest().payload,
  })),
  of('a token with another contract', 'asset-allowed', 'ASSET_MISMATCH', () =>
    usdtRequest({ intent: { asset: { coin: 'usdt', contract: STRANGER, decimals: 6 } } }),
  ),
  of('a token with other decimals', 'asset-allowed', 'ASSET_MISMATCH', () =>
    usdtRequest({ intent: { asset: { coin: 'usdt', contract: USDT, decimals: 18 } } }),
  ),
  of('a coin that the policy does not list', 'asset-allowed', 'ASSET_MISMATCH', () =>
    ethRequest({ intent: { asset: { coin: 'weth', contract: null, decimals: 18 } } }),
  ),
  of('a fee limit in another coin', 'fee-limit-in-native-coin', 'ASSET_MISMATCH', () =>
    usdtRequest({ intent: { fee_limit: { coin: 'usdt', amount: '10000000000000000' } } }),
  ),
  of('an expired intent', 'intent-not-expired', 'INTENT_EXPIRED', () =>
    ethRequest({ intent: { expires_at: iso(-1) } }),
  ),
  of('an intent from the future', 'intent-already-created', 'INTENT_NOT_YET_VALID', () => {
    const base = ethRequest({ intent: { created_at: iso(61_000) } })
    return withApprovals(
      (hash) => [alice, bob].map((each) => approve(hash, each, { signedAt: iso(30_000) })),
      base,
    )
  }),
  of('an intent older than the restore', 'intent-newer-than-restore', 'JOURNAL_STALE', honest, restoredState),
  of(
    'a single approval under a quorum of one',
    'quorum-configured',
    'QUORUM_NOT_MET',
    () => withApprovals((hash) => [approve(hash, alice)]),
    () => makeState({ policy: (file) => void Object.assign(file, { quorum: 1 }) }),
  ),
  of(
    'no approvals under a policy that pins no approver and asks for none',
    'quorum-configured',
    'QUORUM_NOT_MET',
    () => withApprovals(() => []),
    () => makeState({ policy: (file) => void Object.assign(file, { quorum: 0, approvers: [] }) }),
  ),
  of('an approver who is not pinned', 'approvers-pinned', 'APPROVER_UNKNOWN', () =>
    withApprovals((hash) => [approve(hash, alice), approve(hash, bob), approve(hash, mallory)]),
  ),
  of('an approval that was signed for another intent', 'approvals-of-this-intent', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [
      approve(hash, alice),
      approve(ethRequest({ payload: {}, intent: { withdrawal: 'withdrawal_2' } }).intent_hash, bob),
    ]),
  ),
  of('a reused signature under this intent’s hash', 'approval-signatures-valid', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [approve(hash, alice), approve(hash, bob, { signedHash: 'cd'.repeat(32) })]),
  ),
  of('a signature by another key', 'approval-signatures-valid', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [
      approve(hash, alice),
      { ...approve(hash, bob), signature: approve(hash, mallory).signature },
    ]),
  ),
  of('an approval whose time was changed', 'approval-signatures-valid', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [approve(hash, alice), { ...approve(hash, bob), signed_at: iso(-MINUTE) }]),
  ),
  of('a rejection turned into an approval', 'approval-signatures-valid', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [
      approve(hash, alice),
      { ...approve(hash, bob, { decision: 'reject' }), decision: 'approve' as const },
    ]),
  ),
  of('the initiator among the approvers', 'initiator-not-approving', 'INITIATOR_APPROVED', () =>
    approved({ ...ethRequest({ intent: { initiator: 'per_bob' } }) }),
  ),
  of(
    'the approval of a person who changed what is paid',
    'initiator-not-approving',
    'INITIATOR_APPROVED',
    () => approved({ ...ethRequest({ intent: { co_initiators: ['per_dave', 'per_bob'] } }) }),
  ),
  of(
    'the initiator’s approval under another person’s name',
    'initiator-not-approving',
    'INITIATOR_APPROVED',
    () => {
      const base = ethRequest({ intent: { initiator: 'per_bob' } })
      return withApprovals(
        (hash) => [approve(hash, alice), approve(hash, bob, { personId: 'per_carol' })],
        base,
      )
    },
  ),
  of('an approval from the future', 'approvals-not-from-future', 'APPROVAL_INVALID', () =>
    withApprovals((hash) => [approve(hash, alice), approve(hash, bob, { signedAt: iso(61_000) })]),
  ),
  of('a stale approval', 'approvals-fresh', 'APPROVAL_STALE', () => {
    const base = ethRequest({ intent: { created_at: iso(-8 * HOUR) } })
    return withApprovals(
      (hash) => [approve(hash, alice), approve(hash, bob, { signedAt: iso(-7 * HOUR) })],
      base,
    )
  }),
  of('an approval older than its intent', 'approvals-after-creation', 'APPROVAL_STALE', () =>
    withApprovals((hash) => [approve(hash, alice), approve(hash, bob, { signedAt: iso(-12 * MINUTE) })]),
  ),
  of('one person with two keys', 'quorum-met', 'QUORUM_NOT_MET', () =>
    approved(honest(), [alice, aliceSecond]),
  ),
  of('one person with two keys under two names', 'quorum-met', 'QUORUM_NOT_MET', () =>
    withApprovals((hash) => [approve(hash, alice), approve(hash, aliceSecond, { personId: 'per_carol' })]),
  ),
  of('the same approval twice', 'quorum-met', 'QUORUM_NOT_MET', () => approved(honest(), [alice, alice])),
  of('one approval', 'quorum-met', 'QUORUM_NOT_MET', () => approved(honest(), [alice])),
  of('two approvals where the policy asks for three', 'quorum-met', 'QUORUM_NOT_MET', honest, () =>
    makeState({ policy: (file) => void Object.assign(file, { quorum: 3 }) }),
  ),
  of('no approvals', 'quorum-met', 'QUORUM_NOT_MET', () => withApprovals(() => [])),
  of('a quorum and a rejection', 'not-rejected', 'REJECTED', () =>
    withApprovals((hash) => [
      approve(hash, alice),
      approve(hash, bob),
      approve(hash, carol, { decision: 'reject' }),
    ]),
  ),
]

const utxoCases: HostileCase[] = [
  of(
    'a proprietary field',
    'psbt-known-fields-only',
    'MALFORMED',
    changedPsbt((psbt) => {
      psbt.addUnknownKeyValToInput(0, { key: Buffer.from('fc01', 'hex'), value: Buffer.from('00', 'hex') })
    }),
  ),
  of(
    'a redeem script',
    'psbt-known-fields-only',
    'MALFORMED',
    changedPsbt((psbt) => {
      psbt.addUnknownKeyValToGlobal({ key: Buffer.from('fb', 'hex'), value: Buffer.from('02000000', 'hex') })
    }),
  ),
  of(
    'an input that is signed already',
    'psbt-unsigned',
    'SIGNATURE_PRESENT',
    changedPsbt((psbt) => {
      const publicKey = psbt.data.inputs[0]?.bip32Derivation?.[0]?.pubkey ?? new Uint8Array(33)
      const signature = bitcoin.script.signature.encode(Buffer.alloc(64, 1), 1)
      psbt.updateInput(0, { partialSig: [{ pubkey: publicKey, signature }] })
    }),
  ),
  of(
    'an input that is final already',
    'psbt-unsigned',
    'SIGNATURE_PRESENT',
    changedPsbt((psbt) => {
      psbt.updateInput(0, { finalScriptWitness: Buffer.from([0]) })
    }),
  ),
  ...[0x02, 0x03, 0x81, 0x82, 0x83].map((sighash) =>
    of(
      `sighash type 0x${sighash.toString(16)}`,
      'sighash-all-only',
      'SIGHASH_NOT_ALLOWED',
      withPsbt({ sighash }),
    ),
  ),
  of(
    'transaction version 3',
    'transaction-version-allowed',
    'TRANSACTION_TYPE_NOT_ALLOWED',
    withPsbt({ version: 3 }),
  ),
  of('a locktime', 'locktime-zero', 'TRANSACTION_TYPE_NOT_ALLOWED', withPsbt({ locktime: 900_000 })),
  of('a relative time lock', 'sequences-allowed', 'TRANSACTION_TYPE_NOT_ALLOWED', withPsbt({ sequence: 10 })),
  of('an input twice', 'inputs-distinct', 'UNKNOWN_INPUT', () => doubledInput()),
  of('a transaction without inputs', 'inputs-present', 'UNKNOWN_INPUT', () => {
    const base = btcRequest()
    // The transaction has version 2, no inputs, one output that pays the recipient nothing, and locktime 0.
    return { ...base, payload: { family: 'utxo', network: 'bitcoin', psbt: emptyPsbt() } }
  }),
  of('an input without its parent', 'parents-present', 'UNKNOWN_INPUT', withPsbt({ withoutParent: 1 })),
  of('a parent that is another transaction', 'parents-hash-to-outpoints', 'UNKNOWN_INPUT', () =>
    inflatedParent(),
  ),
  of(
    'a witness UTXO with a false amount',
    'witness-utxos-agree',
    'AMOUNT_MISMATCH',
    changedPsbt((psbt) => {
      const input = psbt.data.inputs[0]
      if (input?.witnessUtxo)
        input.witnessUtxo = { ...input.witnessUtxo, value: input.witnessUtxo.value - 1n }
    }),
  ),
  of(
    'a witness UTXO with a false script',
    'witness-utxos-agree',
    'AMOUNT_MISMATCH',
    changedPsbt((psbt) => {
      const input = psbt.data.inputs[0]
      if (input?.witnessUtxo) input.witnessUtxo = { ...input.witnessUtxo, script: ownScript(CHANGE_PATH) }
    }),
  ),
  of(
    'an own key of a wallet that may not pay',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/84'/1'/3'/0/0")),
  ),
  of(
    'an own key of an account that is no wallet',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/84'/1'/9'/0/0")),
  ),
  of(
    'an own key on another branch',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/84'/1'/0'/1/0")),
  ),
  of(
    'an own key beyond the index bound',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/84'/1'/0'/0/1001")),
  ),
  of(
    'an own key of another purpose',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/44'/1'/0'/0/0")),
  ),
  of(
    'an own key at a hardened index',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    withPsbt(withCoin("m/84'/1'/0'/0/7'")),
  ),
  of(
    'an input without a key origin',
    'input-paths-allowed',
    'UNKNOWN_INPUT',
    changedPsbt((psbt) => {
      delete psbt.data.inputs[0]?.bip32Derivation
    }),
    undefined,
    'input-scripts-mine',
  ),
  of(
    'an input of another key',
    'input-scripts-mine',
    'UNKNOWN_INPUT',
    withPsbt({
      coins: [...COINS.slice(0, 1), { path: "m/84'/1'/1'/0/0", amount: 50_000_000n, keys: otherKeyring }],
    }),
  ),
  of(
    'an input whose path is of another own key',
    'input-scripts-mine',
    'UNKNOWN_INPUT',
    changedPsbt((psbt) => {
      const origin = psbt.data.inputs[0]?.bip32Derivation?.[0]
      if (origin) origin.path = "m/84'/1'/0'/0/8"
    }),
  ),
  of(
    'a swapped recipient',
    'recipients-paid',
    'RECIPIENT_MISMATCH',
    withPsbt({
      outputs: [{ address: BTC_STRANGER, amount: 80_000_000n }],
      coins: [{ path: "m/84'/1'/0'/0/7", amount: 80_003_000n }],
    }),
  ),
  of(
    'a recipient who gets less',
    'recipients-paid',
    'AMOUNT_MISMATCH',
    withPsbt({
      outputs: [
        { address: BTC_RECIPIENT, amount: 79_999_999n },
        { ...changeOutput, amount: changeOutput.amount + 1n },
      ],
    }),
  ),
  of(
    'a recipient who gets more',
    'recipients-paid',
    'AMOUNT_MISMATCH',
    withPsbt({
      outputs: [
        { address: BTC_RECIPIENT, amount: 80_000_001n },
        { ...changeOutput, amount: changeOutput.amount - 1n },
      ],
    }),
  ),
  of(
    'a fee taken from a recipient who does not pay it',
    'recipients-paid',
    'AMOUNT_MISMATCH',
    withPsbt({
      outputs: [
        { address: BTC_RECIPIENT, amount: 80_000_000n - FEE },
        { ...changeOutput, amount: changeOutput.amount + FEE },
      ],
    }),
  ),
  of('a recipient who pays more than the fee', 'recipients-paid', 'AMOUNT_MISMATCH', () =>
    btcRequest({
      intent: { fee_payer: 'recipient' },
      psbt: {
        outputs: [
          { address: BTC_RECIPIENT, amount: 80_000_000n - FEE - 1n },
          { ...changeOutput, amount: 30_000_001n },
        ],
      },
    }),
  ),
  of('two recipients who pay one fee', 'recipient-fee-single-output', 'OUTPUT_NOT_ALLOWED', () =>
    btcRequest({
      intent: {
        fee_payer: 'recipient',
        outputs: [
          { address: BTC_RECIPIENT, amount: '40000000' },
          { address: BTC_STRANGER, amount: '40000000' },
        ],
      },
      psbt: {
        outputs: [
          { address: BTC_RECIPIENT, amount: 40_000_000n - FEE },
          { address: BTC_STRANGER, amount: 40_000_000n - FEE },
          { ...changeOutput, amount: 30_000_000n + FEE },
        ],
      },
    }),
  ),
  of(
    'an output that was added',
    'at-most-one-change',
    'OUTPUT_NOT_ALLOWED',
    withPsbt({
      outputs: [
        recipientOutput,
        { ...changeOutput, amount: 20_000_000n },
        { address: BTC_STRANGER, amount: 9_997_000n },
      ],
    }),
  ),
  of(
    'the approved recipient paid twice',
    'at-most-one-change',
    'OUTPUT_NOT_ALLOWED',
    withPsbt({
      coins: [...COINS, { path: "m/84'/1'/0'/0/9", amount: 90_000_000n, salt: 3 }],
      outputs: [recipientOutput, recipientOutput, { ...changeOutput, amount: 39_997_000n }],
    }),
  ),
  of(
    'change in two own outputs',
    'at-most-one-change',
    'OUTPUT_NOT_ALLOWED',
    withPsbt({
      outputs: [
        recipientOutput,
        { ...changeOutput, amount: 20_000_000n },
        { ...changeOutput, amount: 9_997_000n },
      ],
    }),
  ),
  of(
    'change to a stranger',
    'change-path-allowed',
    'CHANGE_NOT_MINE',
    withPsbt({
      outputs: [recipientOutput, { address: BTC_STRANGER, amount: changeOutput.amount }],
    }),
    undefined,
    'change-mine',
  ),
  of(
    'change to a stranger, labelled as own',
    'change-mine',
    'CHANGE_NOT_MINE',
    withPsbt(changeTo(CHANGE_PATH, ownScript(CHANGE_PATH, otherKeyring))),
  ),
  of(
    'change on the receiving branch',
    'change-path-allowed',
    'CHANGE_NOT_MINE',
    withPsbt(changeTo("m/84'/1'/1'/0/3")),
  ),
  of(
    'change to an own deposit address',
    'change-path-allowed',
    'CHANGE_NOT_MINE',
    withPsbt(changeTo("m/84'/1'/0'/1/3")),
  ),
  of(
    'change where it would not be found again',
    'change-path-allowed',
    'CHANGE_NOT_MINE',
    withPsbt(changeTo("m/84'/1'/1'/1/1001")),
    undefined,
    'change-near-known',
  ),
  of(
    'change far above all change before it',
    'change-near-known',
    'CHANGE_NOT_MINE',
    withPsbt(changeTo("m/84'/1'/1'/1/101")),
  ),
  of(
    'change farther above the change before it than the policy allows',
    'change-near-known',
    'CHANGE_NOT_MINE',
    () => btcRequest({ intent: { withdrawal: 'withdrawal_second' }, psbt: secondChange(104) }),
    after(btcRequest()),
  ),
  of('a payout of dust', 'outputs-above-dust', 'AMOUNT_MISMATCH', () =>
    btcRequest({
      intent: { outputs: [{ address: BTC_RECIPIENT, amount: '293' }] },
      psbt: {
        outputs: [
          { address: BTC_RECIPIENT, amount: 293n },
          { ...changeOutput, amount: 110_000_000n - FEE - 293n },
        ],
      },
    }),
  ),
  of('a payout of dust to a script hash', 'outputs-above-dust', 'AMOUNT_MISMATCH', () => {
    const address = bitcoin.payments.p2sh({ hash: Buffer.alloc(20, 3), network: bitcoin.networks.regtest })
    return btcRequest({
      intent: { outputs: [{ address: address.address ?? '', amount: '539' }] },
      psbt: {
        outputs: [
          { address: address.address ?? '', amount: 539n },
          { ...changeOutput, amount: 110_000_000n - FEE - 539n },
        ],
      },
    })
  }),
  of(
    'change of dust',
    'outputs-above-dust',
    'AMOUNT_MISMATCH',
    withPsbt({
      coins: [{ path: "m/84'/1'/0'/0/7", amount: 80_003_293n }],
      outputs: [recipientOutput, { ...changeOutput, amount: 293n }],
    }),
  ),
  of(
    'outputs worth more than the inputs',
    'inputs-cover-outputs',
    'AMOUNT_MISMATCH',
    withPsbt({
      outputs: [recipientOutput, { ...changeOutput, amount: 30_000_001n }],
    }),
  ),
  of('a fee above what was approved', 'utxo-fee-within-intent', 'FEE_TOO_HIGH', () =>
    btcRequest({
      intent: { fee_limit: { coin: 'btc', amount: '2999' } },
    }),
  ),
  of(
    'a fee above the policy',
    'utxo-fee-within-policy',
    'FEE_TOO_HIGH',
    () => btcRequest(),
    () =>
      makeState({
        policy: (file) => void Object.assign(file.networks.bitcoin ?? {}, { max_fee: '0.00002999' }),
      }),
  ),
  of(
    'a fee rate above the policy',
    'fee-rate-within-policy',
    'FEE_TOO_HIGH',
    () => btcRequest(),
    () =>
      makeState({ policy: (file) => void Object.assign(file.networks.bitcoin ?? {}, { max_fee_rate: 14 }) }),
  ),
]

const WEI = 10n ** 18n
const WORD = 2n ** 256n
const evmCases: HostileCase[] = [
  ...[
    'gas_price',
    'type',
    'access_list',
    'authorization_list',
    'max_fee_per_blob_gas',
    'blob_versioned_hashes',
  ].map((field) =>
    of(`a payload with ${field}`, 'type-two-fields-only', 'TRANSACTION_TYPE_NOT_ALLOWED', () =>
      ethRequest({ payload: { [field]: '0x1' } }),
    ),
  ),
  of('another chain id', 'chain-id-matches', 'CHAIN_MISMATCH', () =>
    ethRequest({ payload: { chain_id: 1 } }),
  ),
  of('an own key of a wallet that may not pay', 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
    payingFrom("m/44'/60'/0'/0/0"),
  ),
  of('an own key on another branch', 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
    payingFrom("m/44'/60'/1'/1/0"),
  ),
  of('an own key beyond the index bound', 'paying-path-allowed', 'UNKNOWN_INPUT', () =>
    payingFrom("m/44'/60'/1'/0/1001"),
  ),
  of('another path than the paying address has', 'paying-address-mine', 'UNKNOWN_INPUT', () =>
    ethRequest({ payload: { derivation_path: "m/44'/60'/2'/0/0" } }),
  ),
  of('a paying address of another key', 'paying-address-mine', 'UNKNOWN_INPUT', () =>
    ethRequest({ payload: { from: STRANGER } }),
  ),
  of('several recipients', 'single-recipient', 'OUTPUT_NOT_ALLOWED', () =>
    ethRequest({
      intent: {
        outputs: [
          { address: RECIPIENT, amount: `${WEI + WEI / 2n}` },
          { address: STRANGER, amount: '1' },
        ],
      },
    }),
  ),
  of('a swapped recipient', 'called-address-matches', 'RECIPIENT_MISMATCH', () =>
    ethRequest({ payload: { to: STRANGER } }),
  ),
  of('another contract than the token', 'called-address-matches', 'ASSET_MISMATCH', () =>
    usdtRequest({ payload: { to: STRANGER } }),
  ),
  of('calldata in a payout of the own coin', 'native-calldata-empty', 'CALLDATA_NOT_ALLOWED', () =>
    ethRequest({ payload: { data: '0xd0e30db0' } }),
  ),
  of('a higher value', 'native-amount-matches', 'AMOUNT_MISMATCH', () =>
    ethRequest({ payload: { value: '1500000000000000001' } }),
  ),
  of('a recipient who loses more than the fee limit', 'native-amount-matches', 'AMOUNT_MISMATCH', () =>
    ethRequest({ intent: { fee_payer: 'recipient' }, payload: { value: `${WEI}` } }),
  ),
  of('value and fee together above what was approved', 'native-amount-matches', 'AMOUNT_MISMATCH', () =>
    ethRequest({ intent: { fee_payer: 'recipient' }, payload: { value: '1499500000000000000' } }),
  ),
  of('value in a token transfer', 'token-value-zero', 'AMOUNT_MISMATCH', () =>
    usdtRequest({ payload: { value: '1' } }),
  ),
  of('approve() instead of transfer()', 'token-call-is-transfer', 'CALLDATA_NOT_ALLOWED', () =>
    usdtRequest({ payload: { data: call('approve', RECIPIENT, 25_000_000n) } }),
  ),
  of('bytes after the call', 'token-call-canonical', 'CALLDATA_NOT_ALLOWED', () =>
    usdtRequest({ payload: { data: `${call('transfer', RECIPIENT, 25_000_000n)}00` } }),
  ),
  of('a second word after the call', 'token-call-canonical', 'CALLDATA_NOT_ALLOWED', () =>
    usdtRequest({ payload: { data: `${call('transfer', RECIPIENT, 25_000_000n)}${'11'.repeat(32)}` } }),
  ),
  of('dirt in the padding of the recipient', 'token-call-canonical', 'CALLDATA_NOT_ALLOWED', () => {
    const data = call('transfer', RECIPIENT, 25_000_000n)
    return usdtRequest({ payload: { data: `${data.slice(0, 12)}ff${data.slice(14)}` } })
  }),
  of('a swapped token recipient', 'token-recipient-matches', 'RECIPIENT_MISMATCH', () =>
    usdtRequest({ payload: { data: call('transfer', STRANGER, 25_000_000n) } }),
  ),
  of('a higher token amount', 'token-amount-matches', 'AMOUNT_MISMATCH', () =>
    usdtRequest({ payload: { data: call('transfer', RECIPIENT, 25_000_001n) } }),
  ),
  of('a token recipient who pays the fee', 'token-fee-paid-by-sender', 'AMOUNT_MISMATCH', () =>
    usdtRequest({ intent: { fee_payer: 'recipient' } }),
  ),
  of('a fee above what was approved', 'evm-fee-within-intent', 'FEE_TOO_HIGH', () =>
    ethRequest({ payload: { gas: '400000' } }),
  ),
  of('a fee above the policy', 'evm-fee-within-policy', 'FEE_TOO_HIGH', honest, () =>
    makeState({ policy: (file) => void Object.assign(file.networks.ethereum ?? {}, { max_fee: '0.0006' }) }),
  ),
  of('a gas price above the policy', 'gas-price-within-policy', 'FEE_TOO_HIGH', honest, () =>
    makeState({
      policy: (file) => void Object.assign(file.networks.ethereum ?? {}, { max_fee_per_gas_gwei: '29' }),
    }),
  ),
  of('a tip above the price', 'tip-within-price', 'FEE_TOO_HIGH', () =>
    ethRequest({ payload: { max_priority_fee_per_gas: '30000000001' } }),
  ),
  of('a tip that is most of the price', 'tip-within-policy', 'FEE_TOO_HIGH', () =>
    ethRequest({
      payload: { max_fee_per_gas: '101000000000', max_priority_fee_per_gas: '100000000001' },
    }),
  ),
  of('a tip above the policy', 'tip-within-policy', 'FEE_TOO_HIGH', honest, () =>
    makeState({
      policy: (file) =>
        void Object.assign(file.networks.ethereum ?? {}, { max_priority_fee_per_gas_gwei: '0.9' }),
    }),
  ),
  of('a nonce that is not reached for years', 'nonce-plausible', 'NONCE_CONFLICT', () =>
    ethRequest({ payload: { nonce: 4_000_000_000 } }),
  ),
  of('a nonce far above the first one of an account', 'nonce-plausible', 'NONCE_CONFLICT', () =>
    ethRequest({ payload: { nonce: 64 } }),
  ),
  of(
    'a nonce far above those that were signed',
    'nonce-plausible',
    'NONCE_CONFLICT',
    () => usdtRequest({ payload: { nonce: 70 } }),
    after(ethRequest()),
  ),
  of(
    'a nonce far above the one that the operator stated',
    'nonce-plausible',
    'NONCE_CONFLICT',
    () => ethRequest({ payload: { nonce: 1_064 } }),
    () => makeState({ policy: firstNonce(1_000) }),
  ),
  of(
    'a value that no transaction can hold',
    'numbers-fit',
    'MALFORMED',
    () =>
      ethRequest({
        intent: { outputs: [{ address: RECIPIENT, amount: WORD.toString() }] },
        payload: { value: WORD.toString() },
      }),
    () => makeState({ policy: limits(null, null) }),
  ),
  of('less gas than any transaction needs', 'numbers-fit', 'MALFORMED', () =>
    ethRequest({ payload: { gas: '20999' } }),
  ),
  of('more gas than any block takes', 'numbers-fit', 'MALFORMED', () =>
    ethRequest({
      payload: { gas: '16777217', max_fee_per_gas: '500000000', max_priority_fee_per_gas: '0' },
    }),
  ),
]

const journalCases: HostileCase[] = [
  of(
    'another intent under a signed id',
    'intent-unchanged',
    'CONFLICT_SET',
    () => ethRequest({ intent: { external_id: 'again' } }),
    after(ethRequest()),
  ),
  of(
    'a second nonce for a signed intent',
    'same-conflict-set',
    'CONFLICT_SET',
    () => ethRequest({ payload: { nonce: 7 } }),
    after(ethRequest()),
  ),
  of(
    'a second payload that leaves out an input',
    'same-conflict-set',
    'CONFLICT_SET',
    () =>
      btcRequest({
        psbt: {
          coins: [{ path: "m/84'/1'/0'/0/7", amount: 110_000_000n, salt: 5 }],
        },
      }),
    after(btcRequest()),
  ),
  of(
    'a second payload that keeps the anchor and leaves out the other input',
    'same-conflict-set',
    'CONFLICT_SET',
    () =>
      btcRequest({
        psbt: { coins: [...COINS.slice(0, 1), { path: "m/84'/1'/1'/0/0", amount: 50_000_000n, salt: 6 }] },
      }),
    after(btcRequest()),
  ),
  of(
    'a nonce that another intent was signed with',
    'nonce-free',
    'NONCE_CONFLICT',
    () => ethRequest({ intent: { withdrawal: 'withdrawal_2' } }),
    after(ethRequest()),
  ),
  of('a payout above the limit of one payout', 'within-transaction-limit', 'POLICY_LIMIT', honest, () =>
    makeState({ policy: limits('1.4', null) }),
  ),
  of(
    'a payout above what is left of the day',
    'within-daily-limit',
    'POLICY_LIMIT',
    () => ethRequest({ intent: { withdrawal: 'withdrawal_2' }, payload: { nonce: 8 } }),
    after(ethRequest(), { policy: limits(null, '2.9') }),
  ),
  of('a payout above the limit of the day', 'within-daily-limit', 'POLICY_LIMIT', honest, () =>
    makeState({ policy: limits(null, '1.4') }),
  ),
]

/** Requests with a wrong shape, which no single check covers. */
export const MALFORMED: readonly (readonly [name: string, request: () => unknown])[] = [
  ['nothing', () => null],
  ['a request without an intent', () => without(honest(), 'intent')],
  ['a request without approvals', () => without(honest(), 'approvals')],
  ...(
    [
      'nonce',
      'to',
      'gas',
      'max_fee_per_gas',
      'max_priority_fee_per_gas',
      'chain_id',
      'value',
      'data',
      'from',
    ] as const
  ).map(
    (field) =>
      [`a payload without ${field}`, () => ({ ...honest(), payload: without(ethPayload(), field) })] as const,
  ),
  ['a negative value', () => ({ ...honest(), payload: ethPayload({ value: '-1' }) })],
  ['a hexadecimal value', () => ({ ...honest(), payload: ethPayload({ value: '0x10' }) })],
  ['a fractional nonce', () => ({ ...honest(), payload: ethPayload({ nonce: 1.5 }) })],
  [
    'an intent with a further field',
    () => approved({ ...honest(), intent: { ...ethIntent(), memo: 'x' } as never }),
  ],
  [
    'an intent that pays nothing',
    () => ethRequest({ intent: { outputs: [{ address: RECIPIENT, amount: '0' }] } }),
  ],
  ['an intent without outputs', () => ethRequest({ intent: { outputs: [] } })],
  ['a time that is none', () => ethRequest({ intent: { expires_at: 'never' } })],
  [
    'a PSBT that is none',
    () => ({ ...btcRequest(), payload: { family: 'utxo', network: 'bitcoin', psbt: 'AAAA' } }),
  ],
  [
    'a PSBT with bytes behind',
    () => {
      const psbt = Buffer.concat([Buffer.from(makePsbt(), 'base64'), Buffer.from([0])]).toString('base64')
      return { ...btcRequest(), payload: { family: 'utxo', network: 'bitcoin', psbt } }
    },
  ],
  [
    'a recipient of another network',
    () =>
      btcRequest({
        intent: { outputs: [{ address: 'bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu', amount: '80000000' }] },
      }),
  ],
]

/** All requests that a single check refuses. */
export const HOSTILE: readonly HostileCase[] = [...requestCases, ...utxoCases, ...evmCases, ...journalCases]

function limits(perTransaction: string | null, daily: string | null) {
  return (file: Parameters<NonNullable<NonNullable<Parameters<typeof makeState>[0]>['policy']>>[0]) => {
    const eth = file.networks.ethereum?.assets.eth
    if (eth) Object.assign(eth, { per_transaction: perTransaction, daily })
  }
}

/** Sets the next nonce of the paying account in the policy. */
export function firstNonce(nonce: number) {
  return (file: Parameters<NonNullable<NonNullable<Parameters<typeof makeState>[0]>['policy']>>[0]) => {
    Object.assign(file.networks.ethereum ?? {}, { first_nonces: { [PAYING_ADDRESS]: nonce } })
  }
}

/** Coins other than the honest payout's, and change at another index. */
export function secondChange(index: number): PsbtOptions {
  return {
    ...changeTo(`m/84'/1'/1'/1/${index}`),
    coins: COINS.map((coin) => ({ ...coin, salt: 4 })),
  }
}

function without<T extends object>(value: T, field: keyof T): Partial<T> {
  const copy: Partial<T> = { ...value }
  delete copy[field]
  return copy
}

function withCoin(path: string): PsbtOptions {
  return { coins: [...COINS.slice(0, 1), { path, amount: 50_000_000n }] }
}

function payingFrom(path: string): SigningRequest {
  return ethRequest({ payload: { derivation_path: path, from: addressAt(path) } })
}

function addressAt(path: string): string {
  return evmAddress(keyring.at(parsePath(path) ?? []).publicKey)
}

/**
 * Makes a request in which both inputs spend one coin. The unsigned transaction is patched, since no library
 * would build it.
 */
function doubledInput(): SigningRequest {
  const coin = { path: "m/84'/1'/0'/0/7", amount: 55_000_000n, salt: 8 }
  const twin = { ...coin, salt: 9 }
  const base = btcRequest({ psbt: { coins: [coin, twin] } })
  const first = Buffer.from(parentOf(coin).getHash())
  const second = Buffer.from(parentOf(twin).getHash())
  const psbt = patched(base, second, first)
  return patched(psbt, parentOf(twin).toBuffer(), parentOf(coin).toBuffer())
}

/** Makes a parent that claims more than the chain holds, so that the fee looks smaller than it is. */
function inflatedParent(): SigningRequest {
  const coin = COINS[0]
  if (!coin) throw new Error('The fixture has coins')
  const inflated = { ...coin, amount: coin.amount + 1_000n }
  const base = btcRequest()
  const withParent = patched(base, parentOf(coin).toBuffer(), parentOf(inflated).toBuffer())
  const amounts = [coin.amount, inflated.amount].map((amount) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(amount)
    return bytes
  })
  // The witness UTXO has the same lie, so that only the hash reveals it.
  return patched(withParent, amounts[0] ?? Buffer.alloc(0), amounts[1] ?? Buffer.alloc(0))
}

function patched(request: SigningRequest, from: Uint8Array, to: Uint8Array): SigningRequest {
  if (request.payload.family !== 'utxo') throw new Error('Only a PSBT can be patched')
  const hex = Buffer.from(request.payload.psbt, 'base64').toString('hex')
  const needle = Buffer.from(from).toString('hex')
  if (!hex.includes(needle)) throw new Error('There is nothing to patch')
  const psbt = Buffer.from(hex.replaceAll(needle, Buffer.from(to).toString('hex')), 'hex').toString('base64')
  return { ...request, payload: { ...request.payload, psbt } }
}

/** Makes a PSBT whose transaction has no inputs and one output. */
function emptyPsbt(): string {
  const script = bitcoin.address.toOutputScript(BTC_RECIPIENT, bitcoin.networks.regtest)
  const amount = Buffer.alloc(8)
  amount.writeBigUInt64LE(80_000_000n)
  const transaction = Buffer.concat([
    Buffer.from('0200000000', 'hex'),
    Buffer.from([1]),
    amount,
    Buffer.from([script.length]),
    script,
    Buffer.alloc(4),
  ])
  return Buffer.concat([
    Buffer.from('70736274ff0100', 'hex'),
    Buffer.from([transaction.length]),
    transaction,
    Buffer.from([0, 0]),
  ]).toString('base64')
}
