/* What a page can do besides being read. Without it every table and both languages are still there. */
(function () {
  'use strict';
  var root = document.documentElement, key = 'datasach-lang';
  function all(what, where) { return Array.prototype.slice.call((where || document).querySelectorAll(what)); }
  function both(vi, en) { return '<span class="vi" lang="vi">' + vi + '</span> <span class="en" lang="en">' + en + '</span>'; }

  /* language: remembered between pages, told to screen readers */
  function speak(id) { root.lang = id === 'lang-en' ? 'en' : 'vi'; }
  try {
    var chosen = document.getElementById(localStorage.getItem(key) || '');
    if (chosen) chosen.checked = true;
  } catch (e) { /* a browser that keeps nothing */ }
  all('input[name=lang]:checked').forEach(function (one) { speak(one.id); });
  document.addEventListener('change', function (event) {
    if (event.target.name !== 'lang') return;
    speak(event.target.id);
    try { localStorage.setItem(key, event.target.id); } catch (e) { /* the same */ }
  });

  /* numbers are written 1.234,5; days 04/03 or 04/03/2026 */
  function value(cell) {
    var said = cell ? (cell.querySelector('[data-figure],b') || cell).textContent.trim() : '';
    var day = said.match(/^(\d\d)\/(\d\d)(?:\/(\d{4}))?$/);
    if (day) return +((day[3] || '') + day[2] + day[1]);
    var number = parseFloat(said.replace(/\./g, '').replace(',', '.'));
    return isNaN(number) ? said.toLowerCase() : number;
  }
  function sort(table, column, up) {
    var body = table.tBodies[0], rows = [].slice.call(body.rows), last = rows.filter(function (r) { return r.classList.contains('last'); });
    rows = rows.filter(function (r) { return last.indexOf(r) < 0; }).map(function (r) { return [value(r.cells[column]), r]; });
    rows.sort(function (a, b) {
      var x = a[0], y = b[0];
      if (typeof x !== typeof y) return typeof x === 'number' ? -1 : 1;  // what is not told stands last either way
      var d = typeof x === 'number' ? x - y : x.localeCompare(y, 'vi');
      return up ? d : -d;
    });
    rows.map(function (r) { return r[1]; }).concat(last).forEach(function (r) { body.appendChild(r); });
  }
  all('table.sort').forEach(function (table) {
    if (!table.tHead || table.tBodies[0].rows.length < 3) return;
    all('th', table.tHead).forEach(function (head) {
      var button = document.createElement('button');
      button.type = 'button';
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener('click', function () {
        var up = head.getAttribute('aria-sort') === 'descending' || (!head.hasAttribute('aria-sort') && !head.classList.contains('n'));
        all('th', table.tHead).forEach(function (one) { one.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        sort(table, head.cellIndex, up);
      });
    });
  });

  /* find: without marks, so that "thai nguyen" finds "Thái Nguyên" */
  function plain(text) { return text.toLowerCase().normalize('NFD').replace(/[\u0300-\u036f]/g, '').replace(/đ/g, 'd'); }
  all('table.find').forEach(function (table, number) {
    var rows = [].slice.call(table.tBodies[0].rows);
    if (rows.length < 8) return;
    var texts = rows.map(function (r) { return plain(r.textContent); });
    var box = document.createElement('p');
    box.className = 'finder';
    box.innerHTML = '<label for="find-' + number + '">' + both('Tìm trong bảng', 'Find in this table') + '</label>' +
      '<input type="search" id="find-' + number + '" autocomplete="off"><output for="find-' + number + '"></output>';
    var home = table.closest('.scroll') || table;
    home.parentNode.insertBefore(box, home);
    box.querySelector('input').addEventListener('input', function (event) {
      var wanted = plain(event.target.value.trim()), shown = 0;
      rows.forEach(function (r, i) { r.hidden = wanted && texts[i].indexOf(wanted) < 0; shown += !r.hidden; });
      box.querySelector('output').textContent = wanted ? shown + ' / ' + rows.length : '';
    });
  });
})();
