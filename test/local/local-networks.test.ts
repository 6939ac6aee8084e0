/** The choice of the local stack's networks. */

import { expect, test } from 'vitest'
import { localNetworks } from '../../local/stack/local-networks.js'

const merchant = { id: 'mer_1', api_key: 'key_1', api_secret: 's' }

function chosen(state: Parameters<typeof localNetworks>[0], wanted?: string) {
  const said: string[] = []
  return { networks: [...localNetworks(state, (line) => said.push(line), wanted)], said }
}

test('gives a new home every network, or those that are named', () => {
  expect(chosen({}).networks).toEqual(['bitcoin', 'litecoin', 'polygon'])
  expect(chosen({}, 'ethereum, polygon')).toEqual({ networks: ['polygon'], said: [] })
  expect(chosen({}, '').networks).toEqual([])
})

test('leaves out a network with which a home was not made, and names it', () => {
  expect(chosen({ merchant })).toEqual({
    networks: ['bitcoin'],
    said: [
      'Left out: litecoin (this home was made without it; --fresh starts from nothing)',
      'Left out: polygon (this home was made without it; --fresh starts from nothing)',
    ],
  })
  const all = ['ethereum', 'bitcoin', 'litecoin', 'polygon']
  expect(chosen({ merchant, networks: all }).networks).toEqual(['bitcoin', 'litecoin', 'polygon'])
})

test('rejects a name that is no local network', () => {
  expect(() => chosen({}, 'dogecoin')).toThrow('dogecoin is none of ethereum, bitcoin')
})
