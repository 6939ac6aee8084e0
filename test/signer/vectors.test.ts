/** Tests the published vectors of the standards on which the signer rests. */

import { mnemonicToEntropy, mnemonicToSeedSync } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { Transaction } from 'bitcoinjs-lib'
import * as ecc from 'tiny-secp256k1'
import { expect, test } from 'vitest'
import { evmAddress } from '../../signer/evm/evm-address.js'
import { decodeRlp, encodeRlp } from '../../signer/evm/rlp.js'
import { openKeyring } from '../../signer/keys/keyring.js'
import { parsePath } from '../../signer/keys/path.js'
import { addressScript, p2wpkhAddress } from '../../signer/utxo/address-script.js'
import { readPsbt } from '../../signer/utxo/read-psbt.js'
import { readTransaction } from '../../signer/utxo/read-transaction.js'
import { segwitSighash } from '../../signer/utxo/segwit-sighash.js'
import { MNEMONIC } from './fixture.js'

const MAIN = { public: 0x0488b21e, private: 0x0488ade4 }
const path = (text: string) => parsePath(text) ?? []

test('BIP-39: derives entropy and seed of the standard’s vectors', () => {
  expect(Buffer.from(mnemonicToEntropy(MNEMONIC, wordlist)).toString('hex')).toBe('00'.repeat(16))
  expect(Buffer.from(mnemonicToSeedSync(MNEMONIC, 'TREZOR')).toString('hex')).toBe(
    'c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04',
  )
})

test('BIP-32: derives test vector 1, hardened and not', () => {
  const keyring = openKeyring(Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex'))
  expect(keyring.fingerprint).toBe('3442193e')
  expect(keyring.xpub(path("m/0'"), MAIN)).toBe(
    'xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2dZXvgGDnw',
  )
  expect(keyring.xpub(path("m/0'/1"), MAIN)).toBe(
    'xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7xmALppuCkwQ',
  )
  expect(keyring.xpub(path("m/0'/1/2'/2/1000000000"), MAIN)).toBe(
    'xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy',
  )
})

test('BIP-84: derives receiving and change addresses of the standard’s wallet', () => {
  const keyring = openKeyring(mnemonicToSeedSync(MNEMONIC))
  const address = (text: string) =>
    p2wpkhAddress(keyring.at(path(text)).keyHash, { bech32: 'bc', pub_key_hash: 0, script_hash: 5 })
  expect(address("m/84'/0'/0'/0/0")).toBe('bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu')
  expect(address("m/84'/0'/0'/0/1")).toBe('bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g')
  expect(address("m/84'/0'/0'/1/0")).toBe('bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el')
})

test('BIP-44: derives the first Ethereum address of the same words', () => {
  const keyring = openKeyring(mnemonicToSeedSync(MNEMONIC))
  expect(evmAddress(keyring.at(path("m/44'/60'/0'/0/0")).publicKey)).toBe(
    '0x9858effd232b4033e47d90003d41ec34ecaeda94',
  )
})

test('BIP-173 and BIP-350: reads scripts of SegWit addresses', () => {
  const script = (address: string, bech32 = 'bc') =>
    Buffer.from(addressScript(address, { bech32, pub_key_hash: 0, script_hash: 5 })).toString('hex')
  expect(script('BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4')).toBe(
    '0014751e76e8199196d454941c45d1b3a323f1433bd6',
  )
  expect(script('tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7', 'tb')).toBe(
    '00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262',
  )
  expect(script('bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0')).toBe(
    '512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798',
  )
  expect(() => script('bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd')).toThrow()
  expect(() => script('tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7')).toThrow()
})

test('BIP-143: computes digest and signature of the native P2WPKH example', () => {
  const unsigned = readTransaction(
    Buffer.from(
      '0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000',
      'hex',
    ),
    'stripped',
  )
  const keyHash = Buffer.from('1d0f172a0ecb48aee1be1f2687d2963ae33f71a1', 'hex')
  const digest = segwitSighash(unsigned)(1, keyHash, 600_000_000n)
  expect(digest.toString('hex')).toBe('c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670')
  const key = Buffer.from('619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9', 'hex')
  expect(Buffer.from(ecc.sign(digest, key)).toString('hex')).toBe(
    '3609e17b84f6a7d30c80bfa610b5b4542f32a8a0d5447a12fb1366d7f01cc44a573a954c4518331561406f90300e8f3358f51928d43c212a8caed02de67eebee',
  )
})

// These are BIP-174's vectors. The first valid one is the invalid "missing outputs" with its two empty output
// maps.
const MISSING_OUTPUTS =
  '70736274ff0100750200000001268171371edff285e937adeea4b37b78000c0566cbb3ad64641713ca42171bf60000000000feffffff02d3dff505000000001976a914d0c59903c5bac2868760e90fd521a4665aa7652088ac00e1f5050000000017a9143545e6e33b832c47050f24d3eeb93c9c03948bc787b32e1300000100fda5010100000000010289a3c71eab4d20e0371bbba4cc698fa295c9463afa2e397f8533ccb62f9567e50100000017160014be18d152a9b012039daf3da7de4f53349eecb985ffffffff86f8aa43a71dff1448893a530a7237ef6b4608bbb2dd2d0171e63aec6a4890b40100000017160014fe3e9ef1a745e974d902c4355943abcb34bd5353ffffffff0200c2eb0b000000001976a91485cff1097fd9e008bb34af709c62197b38978a4888ac72fef84e2c00000017a914339725ba21efd62ac753a9bcd067d6c7a6a39d05870247304402202712be22e0270f394f568311dc7ca9a68970b8025fdd3b240229f07f8a5f3a240220018b38d7dcd314e734c9276bd6fb40f673325bc4baa144c800d2f2f02db2765c012103d2e15674941bad4a996372cb87e1856d3652606d98562fe39c5e9e7e413f210502483045022100d12b852d85dcd961d2f5f4ab660654df6eedcc794c0c33ce5cc309ffb5fce58d022067338a8e0e1725c197fb1a88af59f51e44e4255b20167c8684031c05d1f2592a01210223b72beef0965d10be0778efecd61fcac6f79a4ea169393380734464f84f2ab30000000000'
const INVALID: readonly (readonly [string, string])[] = [
  [
    'a network transaction',
    '0200000001268171371edff285e937adeea4b37b78000c0566cbb3ad64641713ca42171bf6000000006a473044022070b2245123e6bf474d60c5b50c043d4c691a5d2435f09a34a7662a9dc251790a022001329ca9dacf280bdf30740ec0390422422c81cb45839457aeb76fc12edd95b3012102657d118d3357b8e0f4c2cd46db7b39f6d9c38d9a70abcb9b2de5dc8dbfe4ce31feffffff02d3dff505000000001976a914d0c59903c5bac2868760e90fd521a4665aa7652088ac00e1f5050000000017a9143545e6e33b832c47050f24d3eeb93c9c03948bc787b32e1300',
  ],
  ['missing outputs', MISSING_OUTPUTS],
  [
    'a filled scriptSig',
    '70736274ff0100fd0a010200000002ab0949a08c5af7c49b8212f417e2f15ab3f5c33dcf153821a8139f877a5b7be4000000006a47304402204759661797c01b036b25928948686218347d89864b719e1f7fcf57d1e511658702205309eabf56aa4d8891ffd111fdf1336f3a29da866d7f8486d75546ceedaf93190121035cdc61fc7ba971c0b501a646a2a83b102cb43881217ca682dc86e2d73fa88292feffffffab0949a08c5af7c49b8212f417e2f15ab3f5c33dcf153821a8139f877a5b7be40100000000feffffff02603bea0b000000001976a914768a40bbd740cbe81d988e71de2a4d5c71396b1d88ac8e240000000000001976a9146f4620b553fa095e721b9ee0efe9fa039cca459788ac00000000000001012000e1f5050000000017a9143545e6e33b832c47050f24d3eeb93c9c03948bc787010416001485d13537f2e265405a34dbafa9e3dda01fb82308000000',
  ],
  [
    'no unsigned transaction',
    '70736274ff000100fda5010100000000010289a3c71eab4d20e0371bbba4cc698fa295c9463afa2e397f8533ccb62f9567e50100000017160014be18d152a9b012039daf3da7de4f53349eecb985ffffffff86f8aa43a71dff1448893a530a7237ef6b4608bbb2dd2d0171e63aec6a4890b40100000017160014fe3e9ef1a745e974d902c4355943abcb34bd5353ffffffff0200c2eb0b000000001976a91485cff1097fd9e008bb34af709c62197b38978a4888ac72fef84e2c00000017a914339725ba21efd62ac753a9bcd067d6c7a6a39d05870247304402202712be22e0270f394f568311dc7ca9a68970b8025fdd3b240229f07f8a5f3a240220018b38d7dcd314e734c9276bd6fb40f673325bc4baa144c800d2f2f02db2765c012103d2e15674941bad4a996372cb87e1856d3652606d98562fe39c5e9e7e413f210502483045022100d12b852d85dcd961d2f5f4ab660654df6eedcc794c0c33ce5cc309ffb5fce58d022067338a8e0e1725c197fb1a88af59f51e44e4255b20167c8684031c05d1f2592a01210223b72beef0965d10be0778efecd61fcac6f79a4ea169393380734464f84f2ab30000000000',
  ],
  [
    'duplicate keys',
    `${MISSING_OUTPUTS.slice(0, -2)}01003f0200000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0000000000ffffffff010000000000000000036a010000000000000000`,
  ],
  [
    'an invalid global key',
    '70736274ff020001550200000001279a2323a5dfb51fc45f220fa58b0fc13e1e3342792a85d7e36cd6333b5cbc390000000000ffffffff01a05aea0b000000001976a914ffe9c0061097cc3b636f2cb0460fa4fc427d2b4588ac000000000000',
  ],
  [
    'an invalid witness UTXO key',
    '70736274ff0100550200000001279a2323a5dfb51fc45f220fa58b0fc13e1e3342792a85d7e36cd6333b5cbc390000000000ffffffff01a05aea0b000000001976a914ffe9c0061097cc3b636f2cb0460fa4fc427d2b4588ac000000000002010020955eea0b0000000017a9146345200f68d189e1adc0df1c4d16ea8f14c0dbeb870000',
  ],
]
const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64')

test.each(INVALID)('BIP-174: refuses %s', (_name, hex) => {
  expect(() => readPsbt(base64(hex))).toThrow(RangeError)
})

test('BIP-174: reads the first valid vector', () => {
  const psbt = readPsbt(base64(`${MISSING_OUTPUTS}0000`))
  expect(psbt.transaction.txid).toBe(Transaction.fromHex(MISSING_OUTPUTS.slice(16, 16 + 0x75 * 2)).getId())
  expect(psbt.transaction.locktime).toBe(1_257_139)
  expect(psbt.inputs[0]?.parent?.txid).toBe(
    'f61b1742ca13176464adb3cb66050c00787bb3a4eead37e985f2df1e37718126',
  )
  expect(psbt.inputs[0]?.parent?.output?.amount).toBe(200_000_000n)
  expect(psbt.unknown).toEqual([])
})

test('RLP: reads the examples of Ethereum’s specification, and only canonical forms', () => {
  const hex = (item: Parameters<typeof encodeRlp>[0]) => encodeRlp(item).toString('hex')
  expect(hex(Buffer.from('dog'))).toBe('83646f67')
  expect(hex([Buffer.from('cat'), Buffer.from('dog')])).toBe('c88363617483646f67')
  expect(hex(Buffer.alloc(0))).toBe('80')
  expect(hex([])).toBe('c0')
  expect(hex(Buffer.from([0x0f]))).toBe('0f')
  expect(hex([[], [[]], [[], [[]]]])).toBe('c7c0c1c0c3c0c1c0')
  expect(hex(Buffer.from('Lorem ipsum dolor sit amet, consectetur adipisicing elit')).slice(0, 8)).toBe(
    'b8384c6f',
  )
  for (const wrong of ['8100', 'b800', 'c88363617483646f6700', '83646f', 'b90001ff', '']) {
    expect(() => decodeRlp(Buffer.from(wrong, 'hex'))).toThrow(RangeError)
  }
})
