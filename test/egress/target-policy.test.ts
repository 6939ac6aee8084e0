/** Which addresses a webhook may reach. */

import { describe, expect, test } from 'vitest'
import { KeyturnError } from '../../domain/errors.js'
import { checkTarget } from '../../egress/check-target.js'
import { createTargetPolicy, parseTarget, refuseAddress } from '../../egress/target-policy.js'

const strict = createTargetPolicy({ allowCidrs: [], allowHttp: false })
const local = createTargetPolicy({ allowCidrs: ['127.0.0.0/8', '::1'], allowHttp: true })

describe('the target policy', () => {
  test.each([
    ['10.0.0.1', 'RFC 1918'],
    ['172.16.0.1', 'RFC 1918'],
    ['172.31.255.255', 'RFC 1918'],
    ['192.168.1.1', 'RFC 1918'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['0.0.0.0', 'this host'],
    ['169.254.169.254', 'metadata'],
    ['100.64.0.1', 'CGNAT'],
    ['100.100.100.200', 'metadata of a cloud in CGNAT'],
    ['192.0.0.192', 'metadata of a cloud in 192.0.0.0/24'],
    ['168.63.129.16', 'metadata of a cloud on a public number'],
    ['192.0.2.1', 'documentation'],
    ['198.51.100.1', 'documentation'],
    ['203.0.113.1', 'documentation'],
    ['198.18.0.1', 'benchmarking'],
    ['192.88.99.1', '6to4 relay'],
    ['224.0.0.1', 'multicast'],
    ['240.0.0.1', 'reserved'],
    ['255.255.255.255', 'broadcast'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'mapped'],
    ['::ffff:10.0.0.1', 'mapped'],
    ['::ffff:8.8.8.8', 'mapped'],
    ['::127.0.0.1', 'compatible'],
    ['::ffff:0:127.0.0.1', 'translated'],
    ['64:ff9b::7f00:1', 'NAT64'],
    ['64:ff9b::a9fe:a9fe', 'NAT64 to metadata'],
    ['64:ff9b:1::a00:1', 'NAT64 of a local network'],
    ['2002:7f00:1::', '6to4'],
    ['2002:a9fe:a9fe::1', '6to4'],
    ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'Teredo'],
    ['2600:1:2:3:0:5efe:10.0.0.1', 'ISATAP'],
    ['2600:1:2:3:200:5efe:a9fe:a9fe', 'ISATAP to metadata'],
    ['fe80::1', 'link-local'],
    ['fe80::1%eth0', 'link-local with a zone'],
    ['fec0::1', 'site-local'],
    ['fc00::1', 'ULA'],
    ['fd00:ec2::254', 'metadata on ULA'],
    ['ff02::1', 'multicast'],
    ['2001:db8::1', 'documentation'],
    ['3fff::1', 'documentation'],
    ['5f00::1', 'SRv6'],
    ['100::1', 'discard'],
    ['4000::1', 'not handed out'],
  ])('%s (%s)', (address) => {
    expect(refuseAddress(address, 'https:', strict)).toMatch(/not public/)
  })
  test.each([
    '8.8.8.8',
    '93.184.216.34',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700::1111',
    '2a00:1450:4001::1',
    '2600:1:2:3:1:5efe:a00:1',
  ])('but %s is public', (address) => {
    expect(refuseAddress(address, 'https:', strict)).toBeNull()
    expect(refuseAddress(address, 'http:', local)).toMatch(/https/)
  })
  test('accepts allowed addresses, mapped ones and http included', () => {
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::1']) {
      expect(refuseAddress(address, 'http:', local)).toBeNull()
    }
    expect(refuseAddress('10.0.0.1', 'https:', local)).toMatch(/not public/)
  })
})

describe('an endpoint’s URL', () => {
  test.each([
    ['http://shop.example/', /https/],
    ['ftp://shop.example/', /https/],
    ['file:///etc/passwd', /https/],
    ['not a url', /not a URL/],
    ['https://user:secret@shop.example/', /user name/],
    ['https://127.0.0.1/', /not public/],
    ['https://2130706433/', /not public/],
    ['https://0x7f000001/', /not public/],
    ['https://0177.0.0.1/', /not public/],
    ['https://127.1/', /not public/],
    ['https://0x7f.1/', /not public/],
    ['https://0177.0x0.01/', /not public/],
    ['https://0251.0xfe.43518/', /not public/],
    ['https://169.254.43518/', /not public/],
    ['https://0xA9FEA9FE/', /not public/],
    ['https://025177524776/', /not public/],
    ['https://127.0.0.1./', /not public/],
    ['https://%31%32%37.0.0.1/', /not public/],
    ['https://127。0。0。1/', /not public/],
    ['https://[::127.0.0.1]/', /not public/],
    ['https://[::7f00:1]/', /not public/],
    ['https://[0:0:0:0:0:ffff:7f00:0001]/', /not public/],
    ['https://[2002:a9fe:a9fe::1]/', /not public/],
    ['https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/', /not public/],
    ['https://①②⑦.0.0.1/', /not public/],
    ['https://[::1]/', /not public/],
    ['https://[::ffff:169.254.169.254]/', /not public/],
    ['https://[64:ff9b::10.0.0.1]/', /not public/],
    ['https://169.254.169.254/latest/meta-data/', /not public/],
    [`https://shop.example/${'x'.repeat(2_048)}`, /longer/],
  ])('like %s is refused', (url, reason) => {
    expect(() => parseTarget(url, strict)).toThrow(reason)
    expect(() => parseTarget(url, strict)).toThrow(KeyturnError)
  })
  test('never repeats its credentials in the error', () => {
    expect(() => parseTarget('https://user:hunter2@shop.example/', strict)).not.toThrow(/hunter2/)
  })
  test('may be plain http on allowed addresses only', () => {
    expect(parseTarget('http://127.0.0.1:9/x', local).port).toBe('9')
    expect(() => parseTarget('http://8.8.8.8/', local)).toThrow(/https/)
  })
})

describe('the ports of an endpoint', () => {
  const limited = createTargetPolicy({ allowCidrs: ['10.1.0.0/16'], allowHttp: false, ports: [443, 8443] })
  const names = async () => ['93.184.216.34']
  test.each(['https://shop.example/', 'https://shop.example:443/', 'https://shop.example:8443/hook'])(
    'include that of %s',
    async (url) => {
      expect(await checkTarget(url, limited, names)).toBe(new URL(url).href)
    },
  )
  test.each(['https://shop.example:80/', 'https://shop.example:9200/', 'https://93.184.216.34:22/'])(
    'do not include that of %s, whether the name resolves or not',
    async (url) => {
      const unknown = async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
      for (const resolve of [names, unknown]) {
        await expect(checkTarget(url, limited, resolve)).rejects.toMatchObject({
          code: 'INVALID_URL',
          status: 422,
          message: expect.stringMatching(/ports 443, 8443/),
        })
      }
    },
  )
  test('are free in the CIDRs that the operator allows, unless the name has another address too', async () => {
    const url = 'https://hooks.internal:9443/'
    expect(await checkTarget(url, limited, async () => ['10.1.2.3'])).toBe(url)
    const mixed = checkTarget(url, limited, async () => ['10.1.2.3', '93.184.216.34'])
    await expect(mixed).rejects.toMatchObject({ code: 'INVALID_URL' })
  })
})

test('excludes what the operator denies, public, allowed and mapped addresses alike', async () => {
  const policy = createTargetPolicy({
    allowCidrs: ['10.0.0.0/8'],
    allowHttp: true,
    denyCidrs: ['93.184.216.0/24', '10.9.0.0/16', '2a00:1450::/32'],
  })
  for (const address of ['93.184.216.34', '10.9.0.1', '::ffff:10.9.0.1', '2a00:1450:4001::1']) {
    expect(refuseAddress(address, 'https:', policy)).toMatch(/excluded/)
  }
  for (const address of ['93.184.217.1', '10.8.0.1', '2a00:1451::1']) {
    expect(refuseAddress(address, 'https:', policy)).toBeNull()
  }
  await expect(checkTarget('https://shop.example/', policy, async () => ['93.184.216.1'])).rejects.toThrow(
    /excluded/,
  )
})

describe('the check at registration', () => {
  test('refuses a name with one private address among public ones', async () => {
    const resolve = async () => ['93.184.216.34', 'fd00::1']
    await expect(checkTarget('https://shop.example/', strict, resolve)).rejects.toThrow(/not public/)
  })
  test('accepts a name with public addresses', async () => {
    const resolve = async () => ['93.184.216.34', '2606:4700::1111']
    expect(await checkTarget('https://shop.example/hook?a=1', strict, resolve)).toBe(
      'https://shop.example/hook?a=1',
    )
  })
  test('accepts a name that does not resolve yet', async () => {
    const resolve = async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))
    expect(await checkTarget('https://soon.example', strict, resolve)).toBe('https://soon.example/')
  })
  test('refuses localhost', async () => {
    await expect(checkTarget('https://localhost/', strict)).rejects.toThrow(/not public/)
  })
})

test('rejects an exception that is not a CIDR', () => {
  expect(() => createTargetPolicy({ allowCidrs: ['10.0.0.0/99'], allowHttp: false })).toThrow(
    /10\.0\.0\.0\/99/,
  )
})
