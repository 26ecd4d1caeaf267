// Runs a page's script on just enough of a document, clicks and slides, and fails where something
// is not as a person would see it. Usage: node page_check.js PAGE CASE
'use strict';
const fs = require('fs');
const vm = require('vm');
const assert = require('assert');

const page = fs.readFileSync(process.argv[2], 'utf8');

// ---- As a browser splits it: a script ends at the first `</script`.
function scripts(html) {
  const out = [];
  const open = /<script\b([^>]*)>/gi;
  for (let match; (match = open.exec(html));) {
    const end = html.toLowerCase().indexOf('</script', open.lastIndex);
    assert(end > 0, 'a script does not end');
    out.push({attributes: match[1], text: html.slice(open.lastIndex, end)});
    open.lastIndex = end;
  }
  return out;
}
const found = scripts(page);
assert.strictEqual(found.length, 2, 'two scripts, the data and the program');
assert(found[0].attributes.includes('application/json'));
assert(/default-src 'none'/.test(page), 'a policy that loads nothing');
const outside = page.replace(found[0].text, '').replace(found[1].text, '');
assert(!/\b(src|href)\s*=/.test(outside), 'nothing is loaded');
for (const banned of ['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document.write', 'eval('])
  assert(!found[1].text.includes(banned), banned);

// ---- Just enough of a document.
class Classes {
  constructor() { this.all = new Set(); }
  add(...names) { for (const name of names) { assert(name && !/\s/.test(name)); this.all.add(name); } }
  remove(...names) { names.forEach((name) => this.all.delete(name)); }
  contains(name) { return this.all.has(name); }
  toggle(name, on) { if (on === undefined ? !this.all.has(name) : on) this.add(name); else this.remove(name); }
}
class Element {
  constructor(name) {
    this.name = name;
    this.children = [];
    this.attributes = {};
    this.listeners = {};
    this.classList = new Classes();
    this.dataset = {};
    this.own = '';
    this.clientWidth = 800;
    this.clientHeight = 600;
    this.offsetTop = 0;
    this.scrollTop = 0;
  }
  set className(text) { text.split(' ').forEach((name) => this.classList.add(name)); }
  set textContent(text) { this.own = String(text); this.children = []; }
  get textContent() { return this.own + this.children.map((child) => child.textContent).join('\n'); }
  get firstChild() { return this.children[0]; }
  setAttribute(key, value) {
    assert(!/^on/i.test(key), 'no handler as text');
    this.attributes[key] = String(value);
    if (key === 'class') this.className = String(value);
  }
  appendChild(child) { this.children.push(child); return child; }
  append(...more) { more.forEach((child) => this.appendChild(child)); }
  replaceChildren(...more) { this.own = ''; this.children = more; }
  addEventListener(kind, heard) { (this.listeners[kind] = this.listeners[kind] || []).push(heard); }
  fire(kind, more) {
    const event = Object.assign({target: this, stopPropagation() {}, preventDefault() {}}, more);
    (this.listeners[kind] || []).forEach((heard) => heard(event));
  }
  getBoundingClientRect() { return {left: 0, top: 0}; }
  find(test, out = []) {
    if (test(this)) out.push(this);
    this.children.forEach((child) => child.find(test, out));
    return out;
  }
}
const byId = {};
for (const [, id] of outside.matchAll(/\bid="([^"]+)"/g)) byId[id] = new Element(id);
byId.data.textContent = found[0].text;
const made = new Set();
const document = {
  documentElement: new Element('html'),
  getElementById: (id) => { assert(byId[id], 'no element ' + id); return byId[id]; },
  createElement: (name) => { made.add(name); return new Element(name); },
  createElementNS: (space, name) => { made.add(name); return new Element(name); },
};
const context = {document, window: new Element('window'), matchMedia: () => ({matches: false}),
                 setInterval: () => 1, clearInterval() {}, navigator: {}, getSelection() {}, console};
vm.runInNewContext(found[1].text, context);

const withClass = (name) => byId.stage.find((one) => one.classList.contains(name));
const node = (name) => withClass('node').find((one) => one.children[0].textContent === name);
const link = (name) => withClass('link').find((one) => one.children[0].textContent === name);
const panel = () => byId.panel.textContent;

// ---- What is to be seen.
const cases = {
  plain() {
    assert.strictEqual(withClass('node').length, 4);  // with the underlay
    assert.strictEqual(withClass('link').length, 3);
    assert(byId.counts.textContent.includes('4 nodes, 3 links'));
    node('h1').fire('click');
    assert(node('h1').classList.contains('chosen'));
    assert(panel().includes('10.99.0.11') && panel().includes('heddle lab exec --name look h1 -- bash'));
    link('h1:eth1 \u2013 n:eth1').fire('keydown', {key: 'Enter'});
    assert(!node('h1').classList.contains('chosen'));
    assert(panel().includes('192.168.7.1/24') && panel().includes('delay 20ms') && panel().includes('wireshark'));
    byId.search.value = 'n';
    byId.search.fire('input');
    byId.search.value = 'h2';
    byId.search.fire('input');
    assert(node('h1').classList.contains('faint') && !node('h2').classList.contains('faint'));
    byId.theme.fire('click');
    assert.strictEqual(document.documentElement.dataset.theme, 'dark');
    byId.theme.fire('click');
    assert.strictEqual(document.documentElement.dataset.theme, 'light');
    assert(link('h1:eth1 \u2013 n:eth1').classList.contains('impaired'));
  },
  state() {
    assert(node('h2').classList.contains('down'));
    assert(!node('h1').classList.contains('down'));
    assert(link('h2:eth0 \u2013 underlay').classList.contains('cut'));
  },
  timeline() {
    const at = (time) => { byId.slider.value = String(time); byId.slider.fire('input'); };
    assert.strictEqual(byId.timeline.hidden, false);
    assert.strictEqual(byId.slider.max, '5000');
    at(999);
    assert(!node('h2').classList.contains('down'));
    at(1000);
    assert(node('h2').classList.contains('down'));
    assert(link('h2:eth0 \u2013 underlay').classList.contains('cut'));
    at(2500);
    assert(link('h1:eth1 \u2013 n:eth1').classList.contains('cut'));
    assert(node('h2').classList.contains('down'), 'still down');
    at(3000);
    assert(!node('h2').classList.contains('down'));
    at(4000);
    assert(node('h1').classList.contains('failed'));
    at(5000);
    assert(node('h1').classList.contains('held') && !node('h1').classList.contains('failed'));
    assert(!link('h1:eth1 \u2013 n:eth1').classList.contains('cut'), 'mended');
    at(1000);
    assert(node('h2').classList.contains('down'), 'also backwards');
    const rows = byId.events.children;
    rows[3].fire('click');
    assert(byId.clock.textContent.startsWith('4.000 s'));
    assert(panel().includes('h1'));
  },
  hostile() {
    // Nothing of the text became an element, and all of it can be read.
    for (const name of made)
      assert(['svg', 'g', 'path', 'polygon', 'rect', 'text', 'title', 'h2', 'h3', 'p', 'dl', 'dt', 'dd',
              'div', 'code', 'button', 'li', 'time', 'b', 'span'].includes(name), name);
    node('n').fire('click');
    assert(panel().includes('</script><img src=x onerror=alert(1)>'));
    assert(byId.events.textContent.includes('<svg onload=alert(2)>'));
  },
};
cases[process.argv[3]]();
