import { randomBytes } from 'node:crypto'
import { BIP32Factory } from 'bip32'
import * as ecc from 'tiny-secp256k1'
import { expect, test } from 'vitest'
import { fastForwardAddresses } from '../../activities/chain/fast-forward-addresses.js'
import type { ChainAdapter } from '../../chains/adapter.js'
import { deriveAddress } from '../../domain/address/derive-address.js'
import type { UtxoNetwork } from '../../domain/network.js'
import { bitcoin, merchantWith } from '../db/chain/setup.js'
import { freshDatabase } from '../support/database.js'

test('a counter that was restored from a backup is raised past everything that was used since, however far', async () => {
  const database = await freshDatabase()
  const { sql } = database
  try {
    const network = bitcoin as UtxoNetwork
    const xpub = BIP32Factory(ecc)
      .fromSeed(randomBytes(32), {
        bip32: network.bip32,
        messagePrefix: '',
        bech32: 'bcrt',
        pubKeyHash: 0,
        scriptHash: 0,
        wif: 0,
      })
      .neutered()
      .toBase58()
    const merchant = await merchantWith(sql)
    await merchant.address('bitcoin', 'alice')
    await sql`UPDATE key_accounts SET xpub = ${xpub}, next_index = 5`
    // Gaps of up to 200 are bridged, and one look is not the end.
    const used = new Set(
      [2, 7, 203, 395, 401].map((index) => deriveAddress({ network, xpub, branch: 0, index }).address),
    )
    const asked: number[] = []
    const adapter = {
      network,
      used: async (addresses: readonly string[]) => {
        asked.push(addresses.length)
        return addresses.map((address) => used.has(address))
      },
    } as unknown as ChainAdapter
    expect(await fastForwardAddresses(sql, adapter)).toBe(397)
    expect(await sql`SELECT next_index FROM key_accounts`).toEqual([{ next_index: 402 }])
    expect(asked).toEqual([200, 200, 200])
    expect(await fastForwardAddresses(sql, adapter)).toBe(0)
  } finally {
    await database.drop()
  }
})
